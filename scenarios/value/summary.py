"""What a study says: cost and share kept by operator, and where the rest of the saving goes, one thing switched at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scenarios.value.run import Outcome
from scenarios.value.variants import (
    COMMON,
    DAYS,
    FORESIGHT,
    MAIN,
    OWN,
    PERFECT,
    SWITCHED,
    TUNED,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One operator over one or more stretches; shares are of the saving of perfect foresight against either rule.

    ``violations`` counts unserved energy in kWh and plant steps with a voltage out of its band.
    """

    operator: str
    stretch: str
    total_cost: float
    co2_kg: float
    peak_kw: float
    unserved_kwh: float
    band_breaks: int
    kept_tuned: float
    kept_common: float


@dataclass(frozen=True, slots=True)
class Loss:
    """What one thing costs: in currency, and in points of the saving of perfect foresight against the tuned rule."""

    cause: str
    cost: float
    points: float


class Study:
    """The outcomes of a study by stretch and operator."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self.found: dict[tuple[str, str], Outcome] = {(o.stretch, o.variant): o for o in outcomes}

    def stretches(self, *operators: str) -> list[str]:
        """Return the stretches on which all named operators ran, in the order in which they were given."""
        names = dict.fromkeys(s for s, _ in self.found)
        return [s for s in names if all((s, o) in self.found for o in operators)]

    def total(self, operator: str, stretches: Sequence[str]) -> float:
        """Return what an operator's stretches cost together; KeyError where one is missing."""
        return sum(self.found[s, operator].total_cost for s in stretches)

    def kept(self, operator: str, rule: str, stretches: Sequence[str]) -> float:
        """Return which part of the saving of perfect foresight against a rule an operator keeps; NaN where there is nothing to keep."""
        cost, theirs, best = (self.total(o, stretches) for o in (operator, rule, FORESIGHT.name))
        return (theirs - cost) / (theirs - best) if theirs > best else float("nan")

    def lines(self) -> list[Line]:
        """Return a line per stretch and operator, and one for all weeks together where there are several."""
        main = [v.name for v in MAIN]
        whole = self.stretches(COMMON.name, TUNED.name, FORESIGHT.name)
        found = [self._line(o, s, [s]) for s in whole for o in main if (s, o) in self.found]
        weeks = [s for s in whole if s.endswith("week") and all((s, o) in self.found for o in main)]
        if len(weeks) > 1:
            found += [self._line(o, f"{len(weeks)} weeks", weeks) for o in main]
        return found

    def _line(self, operator: str, words: str, stretches: Sequence[str]) -> Line:
        own = [self.found[s, operator] for s in stretches]
        return Line(
            operator,
            words,
            sum(o.total_cost for o in own),
            sum(o.co2_kg for o in own),
            max(o.peak_kw for o in own),
            sum(o.unserved_kwh for o in own),
            sum(o.band_breaks for o in own),
            self.kept(operator, TUNED.name, stretches),
            self.kept(operator, COMMON.name, stretches),
        )

    def losses(self) -> list[Loss]:
        """Return what keeps the loop with own forecasts from perfect foresight: first the chain, then one thing switched at a time."""
        return [*self._chain(), *self._switched()]

    def _chain(self) -> list[Loss]:
        whole = self.stretches(TUNED.name, OWN.name, PERFECT.name, FORESIGHT.name)
        # single days lie in the weeks and would count twice
        stretches = [s for s in whole if s not in {d.name for d in DAYS}] or whole
        if not stretches:
            return []
        bound = sum(self.found[s, FORESIGHT.name].bound for s in stretches)
        best, perfect, own = (self.total(o, stretches) for o in (FORESIGHT.name, PERFECT.name, OWN.name))
        saving = self.total(TUNED.name, stretches) - best
        steps = (
            ("what moves inside the quarter-hour, which no plan sees", best - bound),
            ("horizon, demand, guard and plant, with perfect forecasts", perfect - best),
            ("forecasts", own - perfect),
        )
        return [Loss(words, cost, 100.0 * cost / saving) for words, cost in steps]

    def _switched(self) -> list[Loss]:
        """Return what each switch changes, on the stretches on which it ran; positive is what it would save."""
        found = []
        for variant in SWITCHED:
            stretches = self.stretches(TUNED.name, OWN.name, FORESIGHT.name, variant.name)
            if not stretches:
                continue
            saving = self.total(TUNED.name, stretches) - self.total(FORESIGHT.name, stretches)
            gained = self.total(OWN.name, stretches) - self.total(variant.name, stretches)
            found.append(Loss(variant.name, gained, 100.0 * gained / saving))
        return found


GOALS: Mapping[str, float] = {"perfect": 0.95, "own against tuned": 0.80, "own against common": 0.90}
"""Shares to be kept: with perfect forecasts over the weeks, with own ones over whole months."""
