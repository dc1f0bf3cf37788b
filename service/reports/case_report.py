"""The report of a what-if: what a board reads of a run beside its base."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from scenarios.cases.compare import Comparison, Difference, compare
from scenarios.cases.results import KPIS, Result, load_result, words_of
from service.pictures.cases import KINDS, cost_change, durations, schedule_change, stores, supply
from service.reports.document import Document, Grid, Lines, Row, Section, drawing, write_document
from service.reports.sizing_sections import sizing_sections

STORES = ("battery", "hot_tank", "cold_store")
CHINESE: Mapping[str, str] = {
    "Base": "基准",
    "Case": "方案",
    "figure": "指标",
    "change": "变化",
    "The question": "问题",
    "What is different": "改动内容",
    "What changed, and why": "变化及原因",
    "All figures": "全部指标",
    "Where the money went": "成本变化构成",
    "Electric supply": "电力供应",
    "Who does more, who does less": "各设备出力变化",
    "Stores": "储能",
    "Import by duration": "购电持续曲线",
    "From what it was made": "数据来源",
    "What happened beside the plan": "计划外事件",
    "Findings": "检查结果",
    "grid": "电网",
    "engines": "燃气内燃机",
    "sun": "光伏",
    "wind": "风电",
    "battery": "电池",
    "local time": "当地时间",
    "change, kW": "变化,kW",
    "hours": "小时",
    "Nothing.": "无。",
} | {k.title: k.title_zh for k in KPIS.values()}


@dataclass(frozen=True, slots=True)
class CaseReport:
    """Everything that the report shows."""

    comparison: Comparison
    base: Result
    run: Result
    language: str

    @classmethod
    def of(cls, base: Path, run: Path, language: str) -> "CaseReport":
        """Return the report of two saved runs."""
        return cls(compare(base, [run]), load_result(base), load_result(run), language)

    def document(self) -> Document:
        """Return the report in the order it is read."""
        w = self.words
        happened, found = self.run.events, [f"{f.severity.value}: {f.place}: {f.message}" for f in self.run.findings]
        sections = [
            *self._question(),
            Section(w("What changed, and why"), Lines(tuple(self.sentences()))),
            *self._middle(),
            Section(w("All figures"), self.figures()),
            Section(w("What happened beside the plan"), Lines(tuple(happened) or (w("Nothing."),))),
            Section(w("Findings"), Lines(tuple(found) or (w("Nothing."),))),
            Section(w("From what it was made"), Lines(tuple(self.origins()))),
        ]
        return Document(self.run.title, self.run.notice, self.language, tuple(sections))

    def _question(self) -> Iterator[Section]:
        """Yield what somebody wanted to know, and what was changed for it."""
        if self.run.story:
            yield Section(self.words("The question"), Lines((" ".join(self.run.story.split()),)))
        if self.run.changes:
            yield Section(self.words("What is different"), Lines(self.run.changes))

    def _middle(self) -> Iterator[Section]:
        """Yield what a run of this kind shows between words and figures."""
        if "built" in self.run.arrays:
            yield from sizing_sections(self.run)
        else:
            yield from (Section(self.words(title), picture) for title, picture in self.pictures())

    def words(self, text: str) -> str:
        """Return a text in the report's language."""
        return CHINESE.get(text, text) if self.language == "zh" else text

    def sentences(self) -> list[str]:
        """Return what changed and why."""
        return list(self.comparison.why(self.comparison.runs[0], self.language))

    def figures(self) -> Grid:
        """Return every figure of base and run."""
        differences = self.comparison.differences(self.comparison.runs[0])
        head = (self.words("figure"), self.base.title, self.run.title, self.words("change"))
        return Grid(head, tuple(self._row(d) for d in differences))

    def _row(self, d: Difference) -> Row:
        values = (words_of(d.kpi, v, d.currency) for v in (d.base, d.value))
        mood = {True: "better", False: "worse", None: ""}[d.better]
        return Row((KPIS[d.kpi].title_in(self.language), *values, _moved(d)), mood)

    def pictures(self) -> Iterator[tuple[str, Figure]]:
        """Yield every picture with its heading."""
        shared = [a for a in self.run.kinds if a in self.base.kinds]
        kinds = {k: [a for a in shared if self.run.kinds[a] == kind] for k, (_, kind) in KINDS.items()}
        both, titles, zone = (self.base.arrays, self.run.arrays), (self.base.title, self.run.title), self.run.time_zone
        held = [a for a in shared if self.run.kinds[a] in STORES]
        yield "Where the money went", cost_change(self.comparison, 0, self.words)
        yield "Electric supply", supply(both, {k: v for k, v in kinds.items() if v}, titles, zone, self.words)
        moved = schedule_change(both, shared, zone, self.words)
        if moved is not None:
            yield "Who does more, who does less", moved
        if held:
            yield "Stores", stores(both, held, titles, zone, self.words)
        if kinds["grid"]:
            yield "Import by duration", durations(both, kinds["grid"][0], titles, self.words)

    def origins(self) -> Iterator[str]:
        """Yield what both runs were made from."""
        for name, result in (("Base", self.base), ("Case", self.run)):
            made = result.provenance
            run = f"{made['site']}, {made['start']} + {made['days']:g} d, {made['run']['mode']}, seed {made['seed']}"
            hashes = ", ".join(str(h)[:12] for h in (*made["site_sha256"], made["case_sha256"]))
            versions = ", ".join(f"{k} {v}" for k, v in made["versions"].items())
            yield f"{self.words(name)}: {run}; inputs {hashes}; {versions}"


def write_case_report(base: Path, run: Path, out: Path, language: str) -> None:
    """Write the report of a saved run against a saved base; ``out`` ends in .html or .pdf.

    Raises
    ------
    DataError
        When a folder holds no run.
    SetupError
        When the file cannot be written.
    """
    with mpl.rc_context(drawing()):
        document = CaseReport.of(base, run, language).document()
    write_document(document, out)


def _moved(d: Difference) -> str:
    if not d.amount:
        return "=" if d.same else "≈"
    of_something = abs(d.share) < 10 and words_of(d.kpi, d.base, d.currency) != words_of(d.kpi, 0.0, d.currency)
    return f"{d.amount} ({d.share:+.1%})" if of_something else d.amount
