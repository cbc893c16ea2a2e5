"""A complete provider that is added by registration alone; the proof that adding one edits nothing else."""
