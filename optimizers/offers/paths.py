"""Joint price paths of a day: what energy, and capacity where it is offered, may fetch in each interval."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.dispatch import DispatchProblem
from models.errors import ProblemError
from models.findings import Finding, error
from optimizers.check_terms import PRICE_MAX

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PricePaths:
    """Equally probable futures of prices: ``energy_per_kwh`` (path, step), ``reserve_per_kw_h`` by contract, each (path, step).

    ``expected_per_kwh`` is the forecast that they lie around, shape (step,).
    """

    energy_per_kwh: Floats
    expected_per_kwh: Floats
    reserve_per_kw_h: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.energy_per_kwh)

    @property
    def digest(self) -> str:
        """A name for these paths: the same prices have the same one."""
        parts = [self.energy_per_kwh, *(self.reserve_per_kw_h[k] for k in sorted(self.reserve_per_kw_h))]
        return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()[:16]

    def order(self) -> Ints:
        """Return the paths in an order in which neighbours are alike: from each to its nearest that is left."""
        every = np.hstack([self.energy_per_kwh, *self.reserve_per_kw_h.values()])
        apart = ((every[:, None, :] - every[None, :, :]) ** 2).sum(axis=2)
        place = int(((every - every.mean(axis=0)) ** 2).sum(axis=1).argmin())
        left, found = np.ones(len(every), bool), [place]
        left[place] = False
        while left.any():
            place = int(np.where(left, apart[place], np.inf).argmin())
            left[place] = False
            found.append(place)
        return np.array(found)

    def require(self, problem: DispatchProblem) -> None:
        """Check the paths against the problem they are for.

        Raises
        ------
        ProblemError
            With everything that is wrong with the paths.
        """
        found = list(self._findings(problem))
        if found:
            raise ProblemError(found)

    def _findings(self, problem: DispatchProblem) -> Iterator[Finding]:
        steps, known = len(problem.horizon), {c.id for c in problem.site.reserves}
        if np.ndim(self.energy_per_kwh) != 2 or len(self.energy_per_kwh) == 0:
            yield error("paths.energy", "there is no price path; give at least one")
            return
        wanted = {"energy": self.energy_per_kwh, **{f"reserve {k}": v for k, v in self.reserve_per_kw_h.items()}}
        for name, values in wanted.items():
            yield from _checked(f"paths.{name}", values, (len(self), steps))
        yield from _checked("paths.expected", self.expected_per_kwh, (steps,))
        for name in sorted(set(self.reserve_per_kw_h) - known):
            yield error(
                f"paths.reserve {name}",
                f"the site has no reserve contract {name}; known are {', '.join(sorted(known)) or 'none'}",
                name,
            )


def _checked(place: str, values: Floats, shape: tuple[int, ...]) -> Iterator[Finding]:
    if np.shape(values) != shape:
        yield error(place, f"has shape {np.shape(values)}, expected {shape}: one price per path and step of the day")
        return
    broken = np.argwhere(~np.isfinite(values))
    if len(broken):
        yield error(place, f"{len(broken)} prices are not numbers, first at {tuple(broken[0].tolist())}; fill the gap")
    elif float(np.abs(values).max()) > PRICE_MAX:
        yield error(
            place, f"reaches {float(np.abs(values).max()):g} per kWh, which is a slip of the unit; give prices per kWh"
        )
