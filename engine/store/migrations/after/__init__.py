"""Migrations that take away: run by ``baton migrate --after``, once no process of the version before is left."""
