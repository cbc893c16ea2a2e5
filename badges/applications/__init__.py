"""Applications: a learner asks for a badge, somebody reviews it, and it is awarded."""
