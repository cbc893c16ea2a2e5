"""The REST API: what learners' and staff's programs ask for, in JSON."""
