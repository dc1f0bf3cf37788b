"""Charts as data: computed here, drawn by one small script, saved as a table by anybody."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isfinite
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]


class Look(StrEnum):
    """How a line is drawn."""

    LINE = "line"
    STEP = "step"
    DASHED = "dashed"
    """Steps that were meant, not measured."""
    AREA = "area"
    AHEAD = "ahead"
    """An area of steps that are still to come."""
    BAND = "band"
    """Between ``values`` and ``upper``."""
    POINTS = "points"
    BARS = "bars"
    HEAT = "heat"
    """A row of colours; the lines of such a chart stand one above another."""
    RUNS = "runs"
    """A bar wherever the value is above one half."""


class Axis(StrEnum):
    """What the horizontal axis counts."""

    TIME = "time"
    NUMBER = "number"
    NAMES = "names"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of values; ``at`` are instants, numbers or names, as the chart's axis says. ``colour`` names a property of the style sheet."""

    title: str
    at: Sequence[datetime] | Sequence[float] | Sequence[str]
    values: Values
    look: Look = Look.LINE
    colour: str = "--accent"
    panel: int = 0
    upper: Values | None = None
    stack: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of several pictures above one another on the same horizontal axis; ``weight`` is its share of the height."""

    title: str
    unit: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels over one axis; ``now`` draws a line where measured ends and planned begins."""

    name: str
    panels: Sequence[Panel]
    lines: Sequence[Line]
    axis: Axis = Axis.TIME
    axis_title: str = ""
    now: datetime | None = None
    across: bool = False
    """Names stand one below another, values go across."""
    notes: Sequence[str] = field(default=())


def drawn(chart: Chart) -> dict[str, object]:
    """Return a chart as the script reads it: instants in ms UTC, null where there is no value."""
    lines = [
        {
            **{k: v for k, v in asdict(line).items() if k not in ("at", "values", "upper", "look")},
            "look": line.look.value,
            "at": [_mark(x) for x in line.at],
            "values": _numbers(line.values),
            "upper": None if line.upper is None else _numbers(line.upper),
        }
        for line in chart.lines
    ]
    now = None if chart.now is None else _mark(chart.now)
    panels = [asdict(p) for p in chart.panels]
    own = {"name": chart.name, "axis": chart.axis.value, "axis_title": chart.axis_title, "across": chart.across}
    return {**own, "now": now, "panels": panels, "lines": lines, "notes": list(chart.notes)}


def _mark(x: datetime | float | str) -> float | int | str:
    return round(x.timestamp() * 1000) if isinstance(x, datetime) else x


def _numbers(values: Values) -> list[float | None]:
    return [round(float(v), 4) if isfinite(v) else None for v in values]


def table_of(chart: Chart, time_zone: str) -> list[list[object]]:
    """Return a chart as rows under a head: what the axis counts first, then a column for every line; empty where a line has nothing."""
    heads: list[str] = []
    columns: list[dict[object, float | None]] = []
    for line in chart.lines:
        unit = chart.panels[line.panel].unit
        for values, more in ((line.values, ""), (line.upper, " (upper)")):
            if values is not None:
                place = chart.panels[line.panel].title
                heads.append(f"{place}: {line.title}{more}" + (f" [{unit}]" if unit else ""))
                columns.append(dict(zip(line.at, _numbers(values), strict=True)))
    marks = list(dict.fromkeys(x for line in chart.lines for x in line.at))
    marks = marks if chart.axis is Axis.NAMES else sorted(marks)
    zone = ZoneInfo(time_zone)
    first = chart.axis_title or f"{chart.axis.value} ({time_zone})"
    rows: list[list[object]] = [
        [
            x.astimezone(zone).isoformat(timespec="seconds") if isinstance(x, datetime) else x,
            *(c.get(x) for c in columns),
        ]
        for x in marks
    ]
    head: list[object] = [first, *heads]
    return [head, *rows]


def as_csv(rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows as CSV that spreadsheets open with their umlauts and characters right."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def as_excel(rows: Sequence[Sequence[object]], title: str) -> bytes:
    """Return rows as an Excel workbook of one sheet."""
    from openpyxl import Workbook  # takes half a second to import

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    for row in rows:
        sheet.append(list(row))
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()
