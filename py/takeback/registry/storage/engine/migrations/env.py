"""Runs migrations on the connection that `database.py` passes, which has begun the transaction and holds the lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
