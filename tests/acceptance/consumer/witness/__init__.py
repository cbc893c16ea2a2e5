"""A Django app for tests: another app's receivers, which write down what they see, and may be slow."""
