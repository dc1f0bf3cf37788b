"""The business no: a step that cannot be taken yet, and everything that it lacks."""

from collections.abc import Iterable, Sequence

from models.errors import JouletwinError
from models.findings import Finding


class RefusedStepError(JouletwinError):
    """A step cannot be taken from where a thing stands; ``findings`` name everything that is missing."""

    def __init__(self, message: str, findings: Iterable[Finding]) -> None:
        self.findings: Sequence[Finding] = tuple(findings)
        missing = "; ".join(f"{f.place}: {f.message}" for f in self.findings)
        super().__init__(f"{message}: {missing}")
