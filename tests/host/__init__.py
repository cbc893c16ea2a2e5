"""A stand-in for the Open edX Credentials service: a Django project with its structure, and its built-in badges.

Written from what is known of the service from outside: its import paths, how it loads plugins and settings, its
addresses, its tables. This folder on ``sys.path`` makes ``credentials`` importable.
"""
