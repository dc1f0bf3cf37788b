"""Meter data as they were brought, with what people have edited in them since, as base data with all versions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from customers.intervals.reading import Asked, read_meters
from customers.intervals.store import Edit, IntervalStore
from customers.intervals.vee import validate
from models.carriers import Carrier


@dataclass(frozen=True, slots=True)
class Brought:
    """A file of meter data, what it does not say of itself, and edits as plain values."""

    body: bytes
    zone: str
    unit: str = ""
    carrier: Carrier = Carrier.ELECTRICITY
    kwh_per_m3: float | None = None
    edits: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def asked(self) -> Asked:
        """What the file is read with; electricity may be sent out."""
        feeds_in = self.carrier is Carrier.ELECTRICITY
        return Asked(self.unit, self.zone, self.carrier, self.kwh_per_m3, feeds_in=feeds_in)

    def store(self) -> IntervalStore:
        """Return the base data: what came, validated, estimated, and edited."""
        found = validate(read_meters(self.body, self.asked)[0])
        for plain in self.edits:
            found = found.edited(edit_of(plain))
        return found


def plain_edit(edit: Edit) -> dict[str, Any]:
    """Return an edit as plain values."""
    return asdict(edit) | {
        "start": edit.start.isoformat(),
        "at": edit.at.isoformat(),
        "energy_kwh": list(edit.energy_kwh),
    }


def edit_of(plain: Mapping[str, Any]) -> Edit:
    """Return an edit from plain values.

    Raises
    ------
    TypeError, ValueError, KeyError
        If they are none.
    """
    energies = plain["energy_kwh"]
    if not isinstance(energies, list):
        raise TypeError(f"an edit's energies are {type(energies).__name__}, no list")
    start, at = (datetime.fromisoformat(str(plain[name])) for name in ("start", "at"))
    return Edit(str(plain["customer"]), start, tuple(energies), str(plain["by"]), str(plain["reason"]), at)
