"""The error tree: a leaf exists where somebody does something different next.

JouletwinError
├── DataError            data cannot be used; carries every finding
│   ├── SiteError        correct the site file
│   ├── MapError         correct the register map
│   ├── ForecastError    bring the missing series
│   └── ProblemError     correct the dispatch problem (start state, limits, prices)
├── PlanningError        there is no usable plan
│   ├── InfeasiblePlanError   relax what the findings name
│   ├── UnboundedPlanError    a price or a limit is missing
│   ├── SolverTimeoutError    give more time or accept a larger gap
│   ├── SolverCrashError      try again; the child process died
│   └── CertificateError      the solver's answer failed the independent recheck
├── PlantError           the plant or a device does not do its part
│   ├── UnreachableError      retry: no link or no answer
│   ├── AnswerError           the answer does not fit the question
│   └── RefusedError          the device answered with an exception code
├── FlowError            a network calculation has no usable result
└── SetupError           the machine refuses: port in use, no permission, missing program
"""

from collections.abc import Iterable, Sequence

from models.findings import Finding


class JouletwinError(Exception):
    """Everything this product raises on purpose."""


class DataError(JouletwinError):
    """Data cannot be used; ``findings`` holds every problem found, not only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: Sequence[Finding] = tuple(findings)
        super().__init__("\n".join(str(f) for f in self.findings))


class SiteError(DataError):
    """The site file has errors."""


class MapError(DataError):
    """A register map has errors."""


class ForecastError(DataError):
    """A forecast lacks a series or holds values that no forecast can have."""


class ProblemError(DataError):
    """A dispatch problem contradicts itself before any solver has seen it."""


class PlanningError(JouletwinError):
    """There is no usable plan."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()) -> None:
        self.findings: Sequence[Finding] = tuple(findings)
        super().__init__(message)


class InfeasiblePlanError(PlanningError):
    """No plan satisfies every limit; ``findings`` name what contradicts what."""


class UnboundedPlanError(PlanningError):
    """The cost can fall without end; a price or a limit is missing."""


class SolverTimeoutError(PlanningError):
    """The deadline passed without a usable plan."""


class SolverCrashError(PlanningError):
    """The solver's process died or answered nonsense."""


class CertificateError(PlanningError):
    """The solver said optimal, and the independent recheck says otherwise."""


class PlantError(JouletwinError):
    """The plant or one of its devices does not do its part."""


class UnreachableError(PlantError):
    """No connection, or no answer in time."""


class AnswerError(PlantError):
    """An answer came that does not fit the question; nothing in it may be used."""


class RefusedError(PlantError):
    """The device answered with an exception code; ``code`` is the Modbus exception code."""

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


class FlowError(JouletwinError):
    """A network calculation has no usable result."""


class SetupError(JouletwinError):
    """The machine refuses: a port is in use, a folder cannot be written, a program is missing."""
