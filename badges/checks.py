def register_checks(): pass
