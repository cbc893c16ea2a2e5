"""Badges for Open edX: events in, badges out."""

__version__ = "0.1.0"
