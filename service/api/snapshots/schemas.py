"""What the snapshots of the past look like."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.state import Snapshot
from service.api.fields import Number, by_asset, by_asset_and_carrier


class PastSnapshotOut(BaseModel):
    """What the site did and held at one instant; units and qualities of the past are rebuilt by ``jouletwin replay``."""

    at: datetime
    power_kw: dict[str, dict[str, Number]] = Field(
        description="by asset and carrier, positive when it feeds the network"
    )
    stored_kwh: dict[str, Number]
    peak_import_kw: Number = Field(description="highest 15-min mean import of the billing period")

    @classmethod
    def of(cls, snapshot: Snapshot) -> "PastSnapshotOut":
        """Return a snapshot as the interface shows it."""
        return cls(
            at=snapshot.at,
            power_kw=by_asset_and_carrier(snapshot.power_kw),
            stored_kwh=by_asset(snapshot.stored_kwh),
            peak_import_kw=snapshot.peak_import_kw,
        )


class PastSnapshotPage(BaseModel):
    """Snapshots, oldest first."""

    items: list[PastSnapshotOut]
    next: int | None = Field(description="value for `after` that gives the next page; null on the last")
