"""What Alembic runs: the steps of a migration, inside the transaction that it is given."""

from __future__ import annotations

from alembic import context

from engine.store.resuming import resume

# `migrate` opens the connection, so that this never sees a URL with a password.
context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
)
if context.get_context().dialect.name == "mysql":
    resume(context.get_context())
context.run_migrations()
