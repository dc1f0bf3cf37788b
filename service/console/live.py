"""The live page's charts: history and plan of every carrier, one asset alone, and the flow as a table."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from models.carriers import Carrier
from service.api.monitoring.schemas import FlowsOut
from service.console.charts import Axis, Chart, Line, Look, Panel
from service.console.glance import Glance
from service.history import Array
from service.runtime import Runtime
from service.views.flows import flow_over
from service.views.timeline import CarrierLines, StoreLines, Timeline, asset_line, timeline

STORE_COLOUR = {"battery": "--k-battery", "hot_tank": "--c-heat", "cold_store": "--c-cold"}
WEIGHT = {Carrier.ELECTRICITY: 2.0, Carrier.HEAT: 1.4}
NOTHING_KW = 0.5


def timeline_chart(look: Glance) -> Chart:
    """Return measured and planned powers by kind on every carrier, and the stores' levels, on one axis."""
    view = timeline(look.memory, look.now, look.back, look.ahead)
    panels = [Panel(look.w[c.carrier], "kW", WEIGHT.get(c.carrier, 1.0)) for c in view.carriers]
    lines = [line for k, c in enumerate(view.carriers) for line in _carrier(look, view, c, k)]
    if view.stores:
        lines += [line for s in view.stores for line in _store(look, view, s, len(panels))]
        panels.append(Panel(look.w["stores"], "%"))
    return Chart("timeline", panels, lines, now=view.now)


def starts(first: datetime, step: timedelta, count: int, shift: float = 0.0) -> list[datetime]:
    """Return the instants of equal steps, moved by a share of one."""
    return [first + (k + shift) * step for k in range(count)]


def _carrier(look: Glance, view: Timeline, carrier: CarrierLines, panel: int) -> Iterator[Line]:
    measured = carrier.measured_kw
    count = len(next(iter(measured.values()), ()))
    seen_at = starts(view.measured_start, view.measured_step, count, 0.5)
    yield from _sides(look, measured, seen_at, Look.AREA, panel)
    planned = carrier.planned_kw
    count = len(next(iter(planned.values()), ()))
    planned_at = starts(view.planned_start, view.planned_step, count)
    ahead = [at + view.planned_step > view.now for at in planned_at]
    coming = {kind: np.where(ahead, values, np.nan) for kind, values in planned.items()}
    yield from _sides(
        look,
        coming,
        [max(at, view.now) if a else at for at, a in zip(planned_at, ahead, strict=True)],
        Look.AHEAD,
        panel,
    )
    if planned:
        rows = np.array(list(planned.values()))
        for word, total in (("planned_supply", np.clip(rows, 0, None)), ("planned_use", np.clip(rows, None, 0))):
            yield Line(look.w[word], planned_at, total.sum(axis=0), Look.DASHED, "--ink", panel)


def _sides(look: Glance, rows: Mapping[str, Array], at: Sequence[datetime], way: Look, panel: int) -> Iterator[Line]:
    """Yield what every kind feeds and draws as two areas that stand on one another."""
    for kind, values in rows.items():
        for side, part in (("fed", np.clip(values, 0, None)), ("drawn", np.clip(values, None, 0))):
            if np.nanmax(np.abs(part), initial=0.0) > NOTHING_KW:
                yield Line(look.w[kind], at, part, way, f"--k-{kind}", panel, stack=f"{way}-{side}")


def _store(look: Glance, view: Timeline, store: StoreLines, panel: int) -> Iterator[Line]:
    colour = STORE_COLOUR.get(store.kind, "--faint")
    seen_at = starts(view.measured_start, view.measured_step, len(store.measured_kwh), 0.5)
    ends = starts(view.planned_start, view.planned_step, len(store.planned_kwh), 1.0)
    yield Line(store.title, seen_at, 100 * store.measured_kwh / store.energy_kwh, Look.LINE, colour, panel)
    title = f"{store.title}, {look.w['planned']}"
    yield Line(title, ends, 100 * store.planned_kwh / store.energy_kwh, Look.DASHED, colour, panel)


def asset_chart(look: Glance) -> Chart:
    """Return what the plan wanted of one asset, what was commanded, and what its meter saw; KeyError where the site has no such asset."""
    view = asset_line(look.memory, look.asset, look.now, look.back, look.ahead)
    sent = [c for c in view.commanded if c.outcome == "applied"]
    told_at = [*(c.at for c in sent), view.now] if sent else []
    told_kw = [*(c.setpoint_kw for c in sent), sent[-1].setpoint_kw] if sent else []
    lines = [
        Line(look.w["measured"], starts(view.measured_start, view.measured_step, len(view.measured_kw), 0.5), view.measured_kw),
        Line(look.w["planned"], starts(view.planned_start, view.planned_step, len(view.planned_kw)), view.planned_kw, Look.DASHED, "--ink"),
        Line(look.w["commanded"], told_at, told_kw, Look.STEP, "--told"),
    ]  # fmt: skip
    return Chart("asset", [Panel(view.title, "kW")], lines, now=view.now)


def present_flows(runtime: Runtime) -> dict[str, object] | None:
    """Return the flows of the present as the interface tells them, for the diagram's first picture; None before the first snapshot."""
    snapshot = runtime.memory.snapshot
    if snapshot is None:
        return None
    view, start = flow_over(runtime.memory, snapshot, 0.0)
    return FlowsOut.of(view, start, snapshot.at).model_dump(mode="json")


def flow_chart(look: Glance) -> Chart:
    """Return every flow of the diagram as a bar; what its table is saved from."""
    snapshot = look.memory.snapshot
    if snapshot is None:
        return Chart("flow", [Panel(look.w["flow"], "kW")], [], Axis.NAMES)
    view, _ = flow_over(look.memory, snapshot, look.period_h)
    names = [f"{f.source} → {f.target}" for f in view.flows]
    bars = Line(look.w["flow"], names, [f.amount for f in view.flows], Look.BARS)
    return Chart("flow", [Panel(look.w["flow"], view.unit)], [bars], Axis.NAMES, look.w["flow"], across=True)
