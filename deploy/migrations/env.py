"""Alembic's entry point: runs one service's migrations in the transaction that `migrate` opened."""

from alembic import context

connection = context.config.attributes["connection"]
service = context.config.attributes["service"]
context.configure(connection=connection, version_table_schema=service, transactional_ddl=False)
context.run_migrations()
