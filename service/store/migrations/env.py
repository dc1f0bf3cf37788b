"""What Alembic runs: the changes asked for, on the connection that it was given."""

from alembic import context

import service.store.customers
import service.store.documents
import service.store.operations
import service.store.people
import service.store.telemetry
import service.store.trading
import service.store.work  # noqa: F401 # every table has to be known when tables are compared
from service.store.columns import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
