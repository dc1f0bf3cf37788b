"""What an estimate is made of: sensors, a model of rows, and the result."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Origin(StrEnum):
    """What stands behind a row."""

    METER = "meter"
    CHARACTERISTIC = "characteristic"
    """A unit's sheet: found wrong, the unit has drifted."""
    BELIEF = "belief"
    """A nominal value where nobody measures; it bends, and is never called faulty."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One measured row: which element, which quantity, and how far it may be off.

    ``sigma`` is one standard deviation in the unit that ends ``quantity``.
    """

    element: str
    quantity: str
    sigma: float
    origin: Origin = Origin.METER

    @property
    def pseudo(self) -> bool:
        """Whether no instrument stands behind the row."""
        return self.origin is not Origin.METER

    @property
    def name(self) -> str:
        """The sensor's name in reports."""
        return f"{self.element}.{self.quantity}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Row values at a state and their derivatives: ``value`` (row,), ``slope`` (row, state)."""

    value: Array
    slope: Array


class RowModel(Protocol):
    """The physics that an estimate fits: measured rows h(x) and laws c(x) = 0."""

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The measured rows, in the order of ``measured``."""
        ...

    @property
    def state_names(self) -> tuple[str, ...]:
        """Name of every state variable."""
        ...

    def start(self) -> Array:
        """Return a state to start from; shape (state,)."""
        ...

    def measured(self, x: Array) -> Rows:
        """Return what every sensor would show at state ``x``."""
        ...

    def laws(self, x: Array) -> Rows:
        """Return the residuals of the laws that hold exactly, each scaled so that 1e-5 is negligible."""
        ...


@dataclass(frozen=True, slots=True)
class Fit:
    """A converged (or not) weighted least-squares state.

    ``residual`` is measured minus modelled over sigma for every row, used or not; ``used`` marks the rows that shaped the state.
    """

    x: Array
    modelled: Rows
    laws: Rows
    residual: Array
    used: Mask
    iterations: int
    converged: bool
    law_residual: float

    @property
    def chi2(self) -> float:
        """Sum of squared residuals over the used rows."""
        return float(np.sum(self.residual[self.used] ** 2))


class SensorStatus(StrEnum):
    """What the estimate says of a sensor."""

    OK = "ok"
    FLAGGED = "flagged"
    """Its residual is suspicious, or it sits in a group that is."""
    REMOVED = "removed"
    """Taken out of the estimate as faulty."""
    UNTESTABLE = "untestable"
    """Nothing else would notice if it were wrong."""


@dataclass(frozen=True, slots=True)
class SensorReport:
    """One sensor's verdict.

    ``redundancy`` is the square root of the residual covariance's diagonal, 0 (critical) .. 1 (fully checked by others);
    ``detectable`` is the smallest error, in the sensor's unit, that 95 % of the time raises a flag (infinite when untestable);
    ``tie_group`` lists the sensors whose errors look alike: name the group, never one culprit.
    """

    sensor: Sensor
    status: SensorStatus
    measured: float
    modelled: float
    normalised_residual: float
    redundancy: float
    detectable: float
    tie_group: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated state with its verdicts."""

    fit: Fit
    sensors: tuple[SensorReport, ...]
    unobservable: tuple[str, ...]
    chi2: float
    degrees_of_freedom: int
    chi2_limit: float

    @property
    def plausible(self) -> bool:
        """Whether the remaining residuals are what the sensors' accuracy explains (chi-square test at 1 %)."""
        return self.chi2 <= self.chi2_limit
