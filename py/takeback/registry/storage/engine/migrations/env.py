"""Runs migrations on the connection that `database.py` hands over; its transaction and its lock are the caller's."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
