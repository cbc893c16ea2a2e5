"""Brings a provider account's templates here: created, updated, and archived when they are gone; never deleted."""
