"""The only room that speaks SQL: runs, definitions and housekeeping in Postgres or SQLite."""

from engine.store.transaction import open_store

__all__ = ["open_store"]
