"""Credly (Pearson): badges that a learner accepts."""
