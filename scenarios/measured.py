"""A snapshot's figures by name, read out of its arrays once: the loop asks for hundreds of them every minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from models.carriers import Carrier
from models.state import ImportSoFar, Snapshot
from models.station import Port
from twin.state import powers_of, stored_of


@dataclass(frozen=True, slots=True)
class Measured:
    """What a snapshot says of each asset."""

    at: datetime
    powers_kw: Mapping[Port, float]
    contents_kwh: Mapping[str, float]
    import_so_far: ImportSoFar | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Measured":
        """Return the figures of a snapshot."""
        return cls(snapshot.at, powers_of(snapshot), stored_of(snapshot), snapshot.import_so_far)

    def power_kw(self, asset: str, carrier: Carrier) -> float:
        """Return an asset's power on a carrier, 0 where nothing is known."""
        value = self.powers_kw.get((asset, carrier), 0.0)
        return value if isfinite(value) else 0.0

    def stored_kwh(self, asset: str) -> float:
        """Return the energy that an asset holds, 0 where nothing is known."""
        value = self.contents_kwh.get(asset, 0.0)
        return value if isfinite(value) else 0.0
