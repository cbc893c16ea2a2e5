"""Taking over the data of the built-in badges module of the Credentials service."""
