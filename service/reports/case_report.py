"""The report of a what-if: what a board reads, as a page that loads nothing and as PDF."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
from matplotlib.figure import Figure

from models.errors import SetupError
from scenarios.cases.compare import Comparison, Difference, compare
from scenarios.cases.results import KPIS, Result, load_result, words_of
from service.pictures.cases import KINDS, as_svg, cost_change, durations, stores, supply

STORES = ("battery", "hot_tank", "cold_store")
FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Zen Hei", "DejaVu Sans")
CHINESE: Mapping[str, str] = {
    "Base": "基准",
    "Case": "方案",
    "figure": "指标",
    "unit": "单位",
    "change": "变化",
    "What changed, and why": "变化及原因",
    "All figures": "全部指标",
    "Where the money went": "成本变化构成",
    "Electric supply": "电力供应",
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
    "hours": "小时",
    "Nothing.": "无。",
} | {k.title: k.title_zh for k in KPIS.values()}


@dataclass(frozen=True, slots=True)
class CaseReport:
    """Everything that both forms of the report show."""

    comparison: Comparison
    base: Result
    run: Result
    language: str

    @classmethod
    def of(cls, base: Path, run: Path, language: str) -> "CaseReport":
        """Return the report of two saved runs."""
        return cls(compare(base, [run]), load_result(base), load_result(run), language)

    def words(self, text: str) -> str:
        """Return a text in the report's language."""
        return CHINESE.get(text, text) if self.language == "zh" else text

    @property
    def differences(self) -> list[Difference]:
        """Every figure of base and run."""
        return self.comparison.differences(self.comparison.runs[0])

    def sentences(self) -> list[str]:
        """Return what changed and why."""
        return list(self.comparison.why(self.comparison.runs[0]))

    def pictures(self) -> list[tuple[str, Figure]]:
        """Return every picture with its heading."""
        shared = [a for a in self.run.kinds if a in self.base.kinds]
        kinds = {k: [a for a in shared if self.run.kinds[a] == kind] for k, (_, kind) in KINDS.items()}
        both, titles, zone = (self.base.arrays, self.run.arrays), (self.base.title, self.run.title), self.run.time_zone
        held = [a for a in shared if self.run.kinds[a] in STORES]
        return [
            ("Where the money went", cost_change(self.comparison, 0, self.words)),
            ("Electric supply", supply(both, {k: v for k, v in kinds.items() if v}, titles, zone, self.words)),
            ("Stores", stores(both, held, titles, zone, self.words)),
            ("Import by duration", durations(both, kinds["grid"][0], titles, self.words)),
        ]

    def origins(self) -> list[str]:
        """Return what both runs were made from."""
        lines = []
        for name, result in (("Base", self.base), ("Case", self.run)):
            made = result.provenance
            run = f"{made['site']}, {made['start']} + {made['days']:g} d, {made['run']['mode']}, seed {made['seed']}"
            hashes = ", ".join(str(h)[:12] for h in (*made["site_sha256"], made["case_sha256"]))
            versions = ", ".join(f"{k} {v}" for k, v in made["versions"].items())
            lines.append(f"{self.words(name)}: {run}; inputs {hashes}; {versions}")
        return lines


def write_case_report(base: Path, run: Path, out: Path, language: str) -> None:
    """Write the report of a saved run against a saved base; ``out`` ends in .html or .pdf.

    Raises
    ------
    DataError
        When a folder holds no run.
    SetupError
        When the file cannot be written.
    """
    report = CaseReport.of(base, run, language)
    with mpl.rc_context({"font.family": known_fonts(), "svg.fonttype": "path", "axes.unicode_minus": False}):
        try:
            WRITERS[out.suffix.lower()](report, out)
        except OSError as fault:
            raise SetupError(f"{out} cannot be written: {fault.strerror or fault}") from None


def known_fonts() -> list[str]:
    """Return those of our fonts that this machine has; matplotlib complains of every other one at every text."""
    from matplotlib.font_manager import get_font_names

    here = set(get_font_names())
    return [f for f in FONTS if f in here] or ["DejaVu Sans"]


def _moved(d: Difference) -> str:
    if d.same:
        return "="
    share = f" ({d.share:+.1%})" if abs(d.share) < 10 else ""
    return f"{'+' if d.change > 0 else '−'}{words_of(d.kpi, abs(d.change), d.currency)}{share}"


def _write_html(report: CaseReport, out: Path) -> None:
    w, e = report.words, html.escape
    rows = "".join(
        f"<tr class='{_mood(d)}'><th>{e(w(KPIS[d.kpi].title))}</th><td>{e(words_of(d.kpi, d.base, d.currency))}</td>"
        f"<td>{e(words_of(d.kpi, d.value, d.currency))}</td><td>{e(_moved(d))}</td></tr>"
        for d in report.differences
    )
    pictures = "".join(
        f"<h2>{e(w(title))}</h2><figure>{as_svg(figure)}</figure>" for title, figure in report.pictures()
    )
    page = PAGE.format(
        language="zh-CN" if report.language == "zh" else "en",
        title=e(report.run.title),
        notice=e(report.run.notice),
        why=e(w("What changed, and why")),
        sentences=_list(report.sentences(), e),
        figures=e(w("All figures")),
        head=f"<th>{e(w('figure'))}</th><th>{e(report.base.title)}</th><th>{e(report.run.title)}</th><th>{e(w('change'))}</th>",
        rows=rows,
        pictures=pictures,
        events=e(w("What happened beside the plan")),
        happened=_list(report.run.events or (w("Nothing."),), e),
        findings=e(w("Findings")),
        found=_list([f"{f.severity.value}: {f.place}: {f.message}" for f in report.run.findings] or [w("Nothing.")], e),
        origins=e(w("From what it was made")),
        made=_list(report.origins(), e),
    )
    out.write_text(page, encoding="utf-8")


def _mood(d: Difference) -> str:
    return {True: "better", False: "worse", None: ""}[d.better]


def _list(lines: Sequence[str], escape: Callable[[str], str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1d2630; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.6rem; margin: 0 0 .2rem }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem }} .notice {{ color: #5b6770 }}
table {{ border-collapse: collapse; width: 100% }} th, td {{ padding: .25rem .6rem; border-bottom: 1px solid #dde3e8; text-align: right }}
th:first-child {{ text-align: left; font-weight: 500 }} td {{ font-variant-numeric: tabular-nums }}
tr.better td:last-child {{ color: #1f7a4a }} tr.worse td:last-child {{ color: #a8401f }}
figure {{ margin: 0 }} figure svg {{ width: 100%; height: auto }} ul {{ padding-left: 1.2rem }}
@media print {{ h2 {{ break-after: avoid }} figure, tr {{ break-inside: avoid }} }}
</style></head><body>
<h1>{title}</h1><p class="notice">{notice}</p>
<h2>{why}</h2>{sentences}
{pictures}
<h2>{figures}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>
<h2>{events}</h2>{happened}
<h2>{findings}</h2>{found}
<h2>{origins}</h2>{made}
</body></html>
"""


def _write_pdf(report: CaseReport, out: Path) -> None:
    import typst  # opened here: a page needs none of it

    w = report.words
    with TemporaryDirectory() as folder:
        place = Path(folder)
        parts = [
            f"= {_t(report.run.title)}",
            f"#text(fill: gray)[{_t(report.run.notice)}]",
            f"== {_t(w('What changed, and why'))}",
        ]
        parts += [f"- {_t(s)}" for s in report.sentences()]
        for k, (title, figure) in enumerate(report.pictures()):
            figure.savefig(place / f"{k}.svg", format="svg")
            parts.append(f'== {_t(w(title))}\n#image("{k}.svg", width: 100%)')
        cells = [w("figure"), report.base.title, report.run.title, w("change")]
        for d in report.differences:
            cells += [
                w(KPIS[d.kpi].title),
                words_of(d.kpi, d.base, d.currency),
                words_of(d.kpi, d.value, d.currency),
                _moved(d),
            ]
        body = ", ".join(f"[{_t(c)}]" for c in cells)
        parts.append(
            f"== {_t(w('All figures'))}\n#table(columns: (2.2fr, 1fr, 1fr, 1.2fr), align: (left, right, right, right), stroke: 0.3pt + gray, {body})"
        )
        for title, lines in (
            ("What happened beside the plan", report.run.events or (w("Nothing."),)),
            (
                "Findings",
                [f"{f.severity.value}: {f.place}: {f.message}" for f in report.run.findings] or [w("Nothing.")],
            ),
            ("From what it was made", report.origins()),
        ):
            parts.append(f"== {_t(w(title))}\n" + "\n".join(f"- {_t(line)}" for line in lines))
        source = place / "report.typ"
        source.write_text(
            SHEET.format(fonts=", ".join(f'"{f}"' for f in known_fonts())) + "\n\n".join(parts), encoding="utf-8"
        )
        out.write_bytes(typst.compile(str(source)))


SHEET = """#set page(paper: "a4", margin: 2cm, numbering: "1 / 1")
#set text(font: ({fonts}), size: 9.5pt)
#show heading: it => block(above: 1.2em, below: 0.6em, sticky: true, it)
#show table.cell: set text(size: 8.5pt)
"""
SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\#[]*_`$<>@=-+/~\"'"})


def _t(text: str) -> str:
    """Return a text so that typst prints it as it is."""
    return text.translate(SPECIAL)


WRITERS = {".html": _write_html, ".pdf": _write_pdf}
ENDINGS = tuple(WRITERS)
