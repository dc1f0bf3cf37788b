"""The verdict that CI asks for: cases run, expected directions met, figures within their tolerance of a baseline."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from models.errors import DataError
from models.findings import error
from scenarios.cases.case import Case
from scenarios.cases.results import KPIS, words_of

BASELINE = "baseline.json"
"""Where the figures of a folder of cases are kept, beside them."""
FORMAT = "jouletwin-baseline/2"
TOLERANCE_SHARE = 0.005
"""A figure that moves by more than this share of the baseline's is a regression, or a reason to renew the baseline."""
TOLERANCE: Mapping[str, float] = {
    "violations": 0.5,
    "plans_failed": 0.5,
    "engine_starts": 1.0,
    "unserved_kwh": 1.0,
    "curtailed_kwh": 10.0,
    "dumped_kwh": 20.0,
    "export_kwh": 10.0,
    "cost_export": 5.0,
    "cost_stored": 20.0,
    "cost_unserved": 20.0,
    "battery_cycles": 0.05,
}
"""What a figure may move by in its own unit whatever its share; figures near zero need it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a baseline keeps of a case: its figures, and the length of the steps that they were made with."""

    step: str
    kpis: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one case: ``problems`` in words, none when it passes."""

    case: str
    seconds: float
    kpis: Mapping[str, float]
    currency: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the case passes."""
        return not self.problems


def judged(
    case: Case, record: Mapping[str, Any], base: Mapping[str, Any], baseline: Mapping[str, float] | None
) -> Verdict:
    """Return the verdict on a run: its expectations against the base's run, its figures against the baseline."""
    kpis, currency = record["kpis"], record["currency"]
    problems = list(_unmet(case, kpis, base["kpis"], currency))
    problems += (
        _moved(kpis, baseline, currency) if baseline is not None else ["is not in the baseline; renew it with --update"]
    )
    return Verdict(case.name, float(record["provenance"]["seconds"]), kpis, currency, tuple(problems))


def _unmet(case: Case, kpis: Mapping[str, float], base: Mapping[str, float], currency: str) -> Iterator[str]:
    for expected in case.expect:
        value, before = kpis[expected.kpi], base[expected.kpi]
        if not expected.met(value, before):
            figures = f"{words_of(expected.kpi, before, currency)} → {words_of(expected.kpi, value, currency)}"
            yield f"{KPIS[expected.kpi].title} should be {expected.direction}, but went {figures}"


def _moved(kpis: Mapping[str, float], baseline: Mapping[str, float], currency: str) -> Iterator[str]:
    for name in KPIS:
        if name not in baseline or name not in kpis:
            continue
        now, then = kpis[name], baseline[name]
        allowed = max(TOLERANCE_SHARE * abs(then), TOLERANCE.get(name, 0.0))
        if abs(now - then) > allowed:
            yield f"{KPIS[name].title} moved from {words_of(name, then, currency)} to {words_of(name, now, currency)}"


def load_baseline(path: Path) -> dict[str, Remembered]:
    """Return what a baseline keeps by case; raises DataError when the file is missing or is no baseline."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError(
            [error(str(path), f"there is no baseline ({fault.strerror}); make one with --update")]
        ) from fault
    except ValueError as fault:
        raise DataError([error(str(path), f"is no baseline ({fault}); make one with --update")]) from fault
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise DataError([error(str(path), f"is no baseline of format {FORMAT}; make one with --update")])
    try:
        return {
            n: Remembered(str(c["step"]), {k: float(v) for k, v in c["kpis"].items()}) for n, c in read["cases"].items()
        }
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise DataError([error(str(path), f"is a damaged baseline ({fault!r}); make it anew with --update")]) from fault


def save_baseline(path: Path, cases: Mapping[str, Remembered]) -> None:
    """Write a baseline; figures are rounded to what the tolerance can tell apart."""
    rounded = {
        n: {"step": c.step, "kpis": {k: float(f"{v:.7g}") for k, v in c.kpis.items()}} for n, c in sorted(cases.items())
    }
    making = path.with_name(f".{path.name}.making")
    making.write_text(json.dumps({"format": FORMAT, "cases": rounded}, indent=1) + "\n", encoding="utf-8")
    making.rename(path)


def junit(verdicts: Sequence[Verdict]) -> str:
    """Return verdicts as JUnit XML, as CI systems read it."""
    failed = sum(not v.ok for v in verdicts)
    seconds = sum(v.seconds for v in verdicts)
    suite = ElementTree.Element(
        "testsuite", name="jouletwin cases", tests=str(len(verdicts)), failures=str(failed), time=f"{seconds:.3f}"
    )
    for verdict in verdicts:
        element = ElementTree.SubElement(
            suite, "testcase", classname="jouletwin.case", name=verdict.case, time=f"{verdict.seconds:.3f}"
        )
        if not verdict.ok:
            ElementTree.SubElement(element, "failure", message=verdict.problems[0]).text = "\n".join(verdict.problems)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return verdicts as a Markdown table; a figure that a kind of case does not have, or that it never came to, is a dash."""
    lines = ["| case | verdict | total cost | CO2 | peak | seconds |", "|---|---|---:|---:|---:|---:|"]
    for v in verdicts:
        figures = (
            words_of(n, v.kpis[n], v.currency) if n in v.kpis else "-" for n in ("total_cost", "co2_kg", "peak_kw")
        )
        words = "passes" if v.ok else "; ".join(v.problems)
        lines.append(f"| {v.case} | {words} | {' | '.join(figures)} | {v.seconds:.1f} |")
    return "\n".join(lines) + "\n"
