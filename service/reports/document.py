"""A report as headings, lists, tables and pictures; written as a page that loads nothing, or as PDF."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
from matplotlib.figure import Figure

from models.errors import SetupError

FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Zen Hei", "DejaVu Sans")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; ``mood`` is better, worse or "" and colours its last cell."""

    cells: tuple[str, ...]
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its head, and rows with as many cells; the first column is words, the others figures."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A list of sentences."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it."""

    heading: str
    content: Grid | Lines | Figure


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report; ``language`` is en or zh."""

    title: str
    notice: str
    language: str
    sections: tuple[Section, ...]


def drawing() -> "mpl.RcParams":
    """Return the settings under which a report's pictures are drawn, for :func:`matplotlib.rc_context`: text as outlines, fonts that are there."""
    settings = {"font.family": known_fonts(), "svg.fonttype": "path", "axes.unicode_minus": False}
    return mpl.RcParams(settings)


def known_fonts() -> list[str]:
    """Return those of our fonts that this machine has; matplotlib complains of every other one at every text."""
    from matplotlib.font_manager import get_font_names

    here = set(get_font_names())
    return [f for f in FONTS if f in here] or ["DejaVu Sans"]


def write_document(document: Document, out: Path) -> None:
    """Write a report as its ending says, .html or .pdf.

    Raises
    ------
    SetupError
        When the file cannot be written.
    """
    with mpl.rc_context(drawing()):
        try:
            WRITERS[out.suffix.lower()](document, out)
        except OSError as fault:
            raise SetupError(f"{out} cannot be written: {fault.strerror or fault}") from None


def _write_html(document: Document, out: Path) -> None:
    page = PAGE.format(
        language="zh-CN" if document.language == "zh" else "en",
        title=html.escape(document.title),
        notice=html.escape(document.notice),
        body="".join(f"<h2>{html.escape(s.heading)}</h2>{_as_html(s.content)}" for s in document.sections),
    )
    out.write_text(page, encoding="utf-8")


def _as_html(content: Grid | Lines | Figure) -> str:
    if isinstance(content, Lines):
        return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in content.lines) + "</ul>"
    if isinstance(content, Grid):
        head = "".join(f"<th>{html.escape(c)}</th>" for c in content.head)
        rows = "".join(_row_as_html(r) for r in content.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    text = StringIO()
    content.savefig(text, format="svg")
    return f"<figure>{text.getvalue()[text.getvalue().index('<svg') :]}</figure>"


def _row_as_html(row: Row) -> str:
    first, *others = (html.escape(c) for c in row.cells)
    return f"<tr class='{row.mood}'><th>{first}</th>{''.join(f'<td>{c}</td>' for c in others)}</tr>"


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
{body}
</body></html>
"""


def document_pdf(document: Document) -> bytes:
    """Return a report as PDF."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "report.pdf"
        write_document(document, out)
        return out.read_bytes()


def _write_pdf(document: Document, out: Path) -> None:
    import typst  # opened here: a page needs none of it

    with TemporaryDirectory() as folder:
        place = Path(folder)
        parts = [f"= {_t(document.title)}", f'#text(fill: rgb("#5b6770"))[{_t(document.notice)}]']
        for k, section in enumerate(document.sections):
            parts.append(f"== {_t(section.heading)}\n{_as_typst(section.content, place, k)}")
        source, fonts = place / "report.typ", ", ".join(f'"{f}"' for f in known_fonts())
        source.write_text(SHEET.format(fonts=fonts) + "\n\n".join(parts), encoding="utf-8")
        out.write_bytes(typst.compile(str(source)))


def _as_typst(content: Grid | Lines | Figure, place: Path, number: int) -> str:
    if isinstance(content, Lines):
        return "\n".join(f"- {_t(line)}" for line in content.lines)
    if isinstance(content, Grid):
        return _grid_as_typst(content)
    content.savefig(place / f"{number}.svg", format="svg")
    return f'#image("{number}.svg", width: 100%)'


def _grid_as_typst(grid: Grid) -> str:
    columns = ["2.2fr"] + ["1fr"] * (len(grid.head) - 1)
    columns_of_words = [not _of_figures([row.cells[k] for row in grid.rows]) for k in range(1, len(grid.head))]
    align = ["left", *("left" if words else "right" for words in columns_of_words)]
    head = ", ".join(f"[*{_t(c)}*]" for c in grid.head)
    body = ", ".join(_cells_as_typst(row) for row in grid.rows)
    return (
        f"#table(columns: ({', '.join(columns)}), align: ({', '.join(align)}), stroke: (x: none, y: 0.3pt + gray), "
        f"table.header({head}), {body})"
    )


def _of_figures(cells: Sequence[str]) -> bool:
    """Return whether a column holds figures, which stand at its right edge, rather than words."""
    told = [c for c in cells if c.strip(" -–")]
    return 2 * sum(FIGURE.fullmatch(c.strip()) is not None for c in told) >= len(told)


def _cells_as_typst(row: Row) -> str:
    colour = MOODS.get(row.mood)
    *others, last = (f"[{_t(c)}]" for c in row.cells)
    return ", ".join([*others, f"text(fill: {colour}){last}" if colour else last])


FIGURE = re.compile(r"[-+−~]?[\d.,  ]+( ?[^\s\d]{1,8})?( ?(to|–|\.\.\.?|至) ?[-+−]?[\d.,  ]+( ?[^\s\d]{1,8})?)?")
"""A number with its unit, or two with what is between them."""
MOODS = {"better": 'rgb("#1f7a4a")', "worse": 'rgb("#a8401f")'}
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


def rows_of(rows: Sequence[Sequence[str]]) -> tuple[Row, ...]:
    """Return plain rows."""
    return tuple(Row(tuple(cells)) for cells in rows)
