"""Every table of the store: who goes through all of them takes them from here, whatever else the process has imported."""

import service.store.customers
import service.store.documents
import service.store.operations
import service.store.people
import service.store.telemetry
import service.store.trading
import service.store.work  # noqa: F401 # a table is known once its module was imported
from service.store.columns import Base

EVERY_TABLE = Base.metadata
