"""A tariff: dated versions of rate components, one currency, one carrier, one calendar."""

from dataclasses import dataclass
from datetime import date

from models.carriers import Carrier
from models.tariffs.calendar import Calendar
from models.tariffs.components import Component
from models.tariffs.money import CENT_MICRO


@dataclass(frozen=True, slots=True)
class Version:
    """The components that hold from the local day ``valid_from`` on, until the day ``valid_to`` (not included) where that is given."""

    id: str
    valid_from: date
    components: tuple[Component, ...]
    valid_to: date | None = None

    def holds(self, day: date) -> bool:
        """Return whether the version holds on a local day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a customer pays for one carrier; ``line_unit_micro`` is what every line of a bill is rounded to, once."""

    id: str
    currency: str
    calendar: Calendar
    versions: tuple[Version, ...]
    carrier: Carrier = Carrier.ELECTRICITY
    line_unit_micro: int = CENT_MICRO

    def on(self, day: date) -> Version | None:
        """Return the version that holds on a local day, None where there is none."""
        return next((v for v in self.versions if v.holds(day)), None)
