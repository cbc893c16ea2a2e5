"""The files of ``docs/deployment``: rendered, checked, and run."""
