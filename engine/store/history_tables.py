"""The tables of what runs have been: earlier rounds, their tasks, and runs that were removed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, text

from engine.store.schema import ID, JsonText, metadata


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, server_default=text("0"))


#: The record of a run each time an operator had it, or part of it, done over.
earlier_round: Final = Table(
    "earlier_round",
    metadata,
    Column("workflow_id", ID, nullable=False),
    _number("number"),
    _number("at"),
    Column("body", JsonText(), nullable=False),
    PrimaryKeyConstraint("workflow_id", "number"),
)

#: Tasks that were taken out of a run's flow. A table of their own: whoever loads a run reads none of them.
earlier_task: Final = Table(
    "earlier_task",
    metadata,
    Column("workflow_id", ID, nullable=False),
    _number("seq"),
    _number("number"),
    Column("body", JsonText(), nullable=False),
    PrimaryKeyConstraint("workflow_id", "seq"),
)

#: Every run that was removed; with ``body`` where it was archived first, until that is kept outside (``moved_at``).
removed_run: Final = Table(
    "removed_run",
    metadata,
    Column("id", ID, primary_key=True),
    _number("at"),
    Column("body", JsonText(), nullable=True),
    #: Since when somebody is at it to move the archive out.
    _number("moving_at"),
    _number("moved_at"),
)
for _name, _kept in (("removed_run_in_row", "body IS NOT NULL"), ("removed_run_outside", "moved_at > 0")):
    Index(_name, removed_run.c.at, postgresql_where=text(_kept), sqlite_where=text(_kept))
