"""The only room that speaks SQL: runs, definitions and housekeeping in a database."""

from engine.store.transaction import open_store

__all__ = ["open_store"]
