def connect_configured(): pass
