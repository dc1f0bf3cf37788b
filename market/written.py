"""Numbers as people write them in files of markets, decimals of MWh and currency, and as exact integers."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from market.products import MarketError
from models.findings import Finding, error

MICRO = 1_000_000
Number = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=24)]


class Part(BaseModel):
    """Part of a file: nothing else is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Whole:
    """Turns decimals into millionths and remembers which had more than six decimals."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def __call__(self, value: Decimal, place: str) -> int:
        """Return a number."""
        exact = value * MICRO
        if exact != exact.to_integral_value():
            self.findings.append(error(place, f"{value} has more than six decimals; round it where it is made"))
        return int(exact)

    def all(self, values: Iterable[Decimal], place: str) -> tuple[int, ...]:
        """Return a series."""
        return tuple(self(v, place) for v in values)

    def require(self) -> None:
        """Raise MarketError where a number had more decimals than can be kept."""
        if self.findings:
            raise MarketError(self.findings)


def micro_of(value: Decimal, place: str) -> int:
    """Return a decimal in millionths; raises MarketError for one with more than six decimals."""
    whole = Whole()
    found = whole(value, place)
    whole.require()
    return found
