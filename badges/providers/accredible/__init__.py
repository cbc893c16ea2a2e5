"""Accredible: credentials that are valid until they expire."""
