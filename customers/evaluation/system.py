"""Evaluation systems as versioned data: indicators in groups, pairwise judgements, method and grades, read from YAML files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import yaml
from annotated_types import Ge, Gt, Le, MinLen
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from customers.evaluation.weights import INCONSISTENT_RATIO, Judged, ahp, critic, entropy
from models.errors import DataError
from models.findings import Finding, error
from models.units import Id

Array = npt.NDArray[np.float64]
LIBRARY = Path(__file__).parent / "library"
STRICT = ConfigDict(extra="forbid")
Judgement = tuple[Id, Id, Annotated[float, Gt(0), Le(9)]]
"""The first weighs so many times more than the second (1/9 .. 9)."""


@checked(frozen=True, slots=True, kw_only=True, config=STRICT)
class Indicator:
    """One criterion: what it measures, in which unit, and whether more is better; ``corners`` are the figures of the grades."""

    id: Id
    title: str
    unit: str
    better: Literal["high", "low"]
    source: str
    corners: tuple[float, ...] = ()
    bounds: tuple[float, float] | None = None
    """Worst and best thinkable figure, in rising order; SPOTIS measures between them."""


@checked(frozen=True, slots=True, kw_only=True, config=STRICT)
class Group:
    """Indicators that are weighed against one another; ``pairs`` are the judgements, one for every pair."""

    id: Id
    title: str
    indicators: Annotated[tuple[Indicator, ...], MinLen(1)]
    pairs: tuple[Judgement, ...] = ()


@checked(frozen=True, slots=True, kw_only=True, config=STRICT)
class EvaluationSystem:
    """An evaluation system as its file holds it; a changed one is a new version, so that old results stay explicable."""

    format: Literal["jouletwin-evaluation/1"]
    id: Id
    version: Annotated[int, Ge(1)]
    valid_from: date
    title: str
    source: str
    method: Literal["topsis", "vikor", "spotis", "weighted_sum", "fuzzy"]
    weighting: Literal["ahp", "ahp_entropy", "ahp_critic"] = "ahp"
    """Judgements alone, or times what the data say; entropy or CRITIC alone reward skew and are not offered."""
    groups: Annotated[tuple[Group, ...], MinLen(1)]
    pairs: tuple[Judgement, ...] = ()
    grades: tuple[str, ...] = ()

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """All indicators, group by group."""
        return tuple(i for g in self.groups for i in g.indicators)

    @property
    def benefit(self) -> npt.NDArray[np.bool_]:
        """Where more is better; shape (indicator,)."""
        return np.array([i.better == "high" for i in self.indicators])


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Weights of all indicators, summing to 1, and the consistency of every matrix of judgements behind them."""

    weights: Array
    consistency: Mapping[str, float]


def systems(folder: Path = LIBRARY) -> dict[str, EvaluationSystem]:
    """Return the systems of a folder by id, the newest version of each.

    Raises
    ------
    DataError
        With everything that is wrong in any file.
    """
    found: dict[str, EvaluationSystem] = {}
    findings: list[Finding] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            system = read_system(path.read_text(encoding="utf-8"), path.stem)
        except DataError as fault:
            findings += fault.findings
            continue
        if system.id not in found or found[system.id].version < system.version:
            found[system.id] = system
    if findings:
        raise DataError(findings)
    return found


def read_system(text: str, name: str = "system") -> EvaluationSystem:
    """Return an evaluation system from its YAML text.

    Raises
    ------
    DataError
        If the form is wrong, a pair of criteria has no judgement or two, or judgements contradict one another too much.
    """
    try:
        system = TypeAdapter(EvaluationSystem).validate_python(yaml.safe_load(text))
    except yaml.YAMLError as fault:
        raise DataError([error(name, f"is not YAML: {' '.join(str(fault).split())[:200]}")]) from None
    except ValidationError as fault:
        places = [(".".join(str(p) for p in e["loc"]), e["msg"]) for e in fault.errors()]
        raise DataError([error(f"{name}.{place}", words) for place, words in places]) from None
    findings = [f for place, ids, pairs in _matrices(system) for f in _judgements(f"{name}.{place}", ids, pairs)]
    findings += _grades(name, system)
    if not findings:
        findings = [
            error(
                f"{name}.{k}",
                f"judgements contradict one another: ratio {r:.2f}, at most {INCONSISTENT_RATIO}; judge again",
            )
            for k, r in weigh(system).consistency.items()
            if r > INCONSISTENT_RATIO
        ]
    if findings:
        raise DataError(findings)
    return system


def weigh(system: EvaluationSystem) -> Weighed:
    """Return the weights of a system's indicators: of its groups, times those within each group."""
    judged = {place: _judged(ids, pairs) for place, ids, pairs in _matrices(system)}
    top = judged["groups"].weights
    parts = [top[k] * judged[g.id].weights for k, g in enumerate(system.groups)]
    return Weighed(np.concatenate(parts), {place: j.consistency_ratio for place, j in judged.items()})


def weights_on(system: EvaluationSystem, indicators: Array) -> Array:
    """Return the weights of a system on data (alternative, indicator): the judged ones, times those of the data where it asks for them."""
    judged = weigh(system).weights
    if system.weighting == "ahp_entropy":
        judged = judged * entropy(np.abs(indicators))
    elif system.weighting == "ahp_critic":
        judged = judged * critic(indicators, system.benefit)
    return np.asarray(judged / judged.sum())


def _matrices(system: EvaluationSystem) -> list[tuple[str, list[str], Sequence[Judgement]]]:
    """Return every set of things that are judged in pairs: the groups, and the indicators of each group."""
    inside = [(g.id, [i.id for i in g.indicators], g.pairs) for g in system.groups]
    return [("groups", [g.id for g in system.groups], system.pairs), *inside]


def _judgements(place: str, ids: Sequence[str], pairs: Sequence[Judgement]) -> list[Finding]:
    """Return pairs without a judgement, with two, or with a name that is not there."""
    wanted = {frozenset((a, b)) for k, a in enumerate(ids) for b in ids[k + 1 :]}
    given = [frozenset((a, b)) for a, b, _ in pairs]
    found = [error(place, f"{name!r} stands twice") for name in sorted({i for i in ids if ids.count(i) > 1})]
    found += [
        error(place, f"pair {' and '.join(sorted(p))}: no such two criteria here") for p in given if p not in wanted
    ]
    found += [error(place, f"pair {' and '.join(sorted(p))} is judged {given.count(p)} times; judge it once")
              for p in sorted(wanted, key=sorted) if given.count(p) != 1]  # fmt: skip
    return found


def _grades(name: str, system: EvaluationSystem) -> list[Finding]:
    """Return indicators whose corners do not fit the grades of a fuzzy system."""
    if system.method == "spotis":
        bare = [i.id for i in system.indicators if i.bounds is None or i.bounds[0] >= i.bounds[1]]
        return [error(f"{name}.{i}", "needs bounds, the lower one first, to be measured between") for i in bare]
    if system.method != "fuzzy":
        return []
    wrong = [
        i.id for i in system.indicators if len(i.corners) != len(system.grades) or list(i.corners) != sorted(i.corners)
    ]
    return [error(f"{name}.{i}", f"needs {len(system.grades)} rising corners, one for each grade") for i in wrong]


def _judged(ids: Sequence[str], pairs: Sequence[Judgement]) -> Judged:
    matrix = np.eye(len(ids))
    for a, b, times in pairs:
        i, j = ids.index(a), ids.index(b)
        matrix[i, j], matrix[j, i] = times, 1.0 / times
    return ahp(matrix)
