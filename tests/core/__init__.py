"""A user model like that of the Credentials service."""
