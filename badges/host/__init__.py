"""What this app is in the Credentials service, whose own badges module it replaces."""
