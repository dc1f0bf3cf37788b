"""What Alembic runs: the changes asked for, on the connection that it was given."""

from alembic import context

from service.store.tables import EVERY_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=EVERY_TABLE,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
