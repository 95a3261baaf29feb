"""Migrations that add: run before a new version's first process starts, while the version before goes on working."""
