def register_handlers(): pass
