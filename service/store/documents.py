"""The table of documents that people have brought."""

from datetime import datetime

from sqlalchemy import LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.store.columns import NAME_LENGTH, Base, Edited, Instant, Owned, identifier


class DocumentRow(Owned, Edited, Base):
    """One document; ``body`` is its text as it is read, an Excel sheet already turned into CSV."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("tenant_id", "kind", "name"),)

    id: Mapped[str] = identifier()
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(60))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    changed_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    changed_at: Mapped[datetime] = mapped_column(Instant)
