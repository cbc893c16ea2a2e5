"""A Django app for tests: it lets a process die, or its network fail, at chosen points of its real work."""
