"""Networks as diagrams: where nodes and branches stand, how they are coloured, and what is written beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from models.networks.data import Bus, ElectricNetwork, GasNetwork, PipeNetwork
from models.networks.status import Status
from service.console.figures import grouped
from service.pictures.layout import Place, SingleLine, hung, open_branches, single_line

COLUMN, ROW, PIPE_COLUMN = 140.0, 96.0, 122.0
MARGIN = 70.0
HERE_PX = 90.0
"""What the longest words of what stands at the last bus reach beyond it."""
BAR = 46.0
STEPS = 5
"""Colours between good and bad, as the style sheet has them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A bus or junction at (x, y); ``level`` is 0 (fine) to 4 (at its limit), or None where nothing is known; ``text`` is what it shows."""

    id: str
    x: float
    y: float
    level: int | None
    title: str
    text: str
    words: str
    here: str = ""
    """What stands there."""
    inner: bool = False
    """Whether more hangs behind it, so that its words stand above."""


@dataclass(frozen=True, slots=True)
class Way:
    """A branch or pipe as points of a broken line; ``kind`` is line, transformer, switch or pipe."""

    id: str
    points: str
    x: float
    y: float
    level: int | None
    text: str
    words: str
    kind: str
    chord: bool = False
    """Whether it closes a ring beside the tree."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """One network in a state; ``scale`` tells in words what the colours of marks and ways mean."""

    id: str
    carrier: str
    width: float
    height: float
    marks: Sequence[Mark]
    ways: Sequence[Way]
    mark_scale: str
    way_scale: str
    solved: bool
    figures: Sequence[tuple[str, str]]


Names = Mapping[str, Sequence[str]]
"""Bus or junction → titles of what stands there."""
Network = ElectricNetwork | PipeNetwork | GasNetwork


def diagram(carrier: str, network: Network, state: xr.Dataset, names: Names, w: Mapping[str, str]) -> Diagram:
    """Return a network's diagram at one instant."""
    solved = int(state["status"]) in (int(Status.OK), int(Status.BOUND))
    if isinstance(network, ElectricNetwork):
        return _grid(network, state, names, w, solved=solved)
    return _pipes(carrier, network, state, names, w, solved=solved)


def level_of(share: float) -> int | None:
    """Return the colour of a share of a limit: 0 below one fifth, 4 from four fifths on; None where there is none."""
    return None if not np.isfinite(share) else int(np.clip(share * STEPS, 0, STEPS - 1))


def _by_name(state: xr.Dataset, value: str, dim: str) -> dict[str, float]:
    return dict(zip(map(str, state[dim].to_numpy()), map(float, state[value].to_numpy()), strict=True))


def _grid(network: ElectricNetwork, state: xr.Dataset, names: Names, w: Mapping[str, str], *, solved: bool) -> Diagram:
    plan = single_line(network)
    place = {bus: (MARGIN + x * COLUMN, 40 + y * ROW) for bus, (x, y) in plan.place.items()}
    volts, load = _by_name(state, "vm_pu", "bus"), _by_name(state, "loading_share", "branch")
    told = [
        (w["loss"], f"{grouped(float(state['loss_kw']), 1)} kW"),
        (w["worst_loading"], _worst(load, "%", 100)),
        (w["lowest_voltage"], _least(volts, "pu")),
    ]
    return Diagram(
        id=network.id,
        carrier="electricity",
        width=max(x for x, _ in place.values()) + MARGIN + HERE_PX,
        height=max(y for _, y in place.values()) + 60,
        marks=[_bus(b, volts[b.id], place[b.id], names.get(b.id, ())) for b in network.buses],
        ways=list(_branches(network, plan, place, state, w)),
        mark_scale=w["scale_voltage"],
        way_scale=w["scale_loading"],
        solved=solved,
        figures=told,
    )


def _bus(bus: Bus, vm_pu: float, place: Place, here: Sequence[str]) -> Mark:
    band = bus.vm_max_pu - 1.0 if vm_pu >= 1.0 else 1.0 - bus.vm_min_pu
    words = f"{bus.id}, {bus.vn_kv:g} kV: {vm_pu:.4f} pu ({bus.vm_min_pu:g}–{bus.vm_max_pu:g}). {', '.join(here)}"
    level = level_of(abs(vm_pu - 1.0) / band)
    return Mark(bus.id, *place, level, bus.id, f"{vm_pu:.3f}", words, here=", ".join(here))


def _branches(
    network: ElectricNetwork, plan: SingleLine, place: Mapping[str, Place], state: xr.Dataset, w: Mapping[str, str]
) -> Iterator[Way]:
    opened = open_branches(network)
    load, power = _by_name(state, "loading_share", "branch"), _by_name(state, "p_from_kw", "branch")
    for branch in (*plan.tree, *plan.rest):
        share, kw = load.get(branch.id, float("nan")), power.get(branch.id, float("nan"))
        shut, chord = branch.id in opened, branch in plan.rest
        text = w["open"] if shut else f"{grouped(100 * share)} %"
        words = f"{branch.id}: {text}, {grouped(abs(kw))} kW"
        points, x, y = _bent(place[branch.first], place[branch.last], chord=chord)
        level = None if shut else level_of(share)
        yield Way(branch.id, points, x, y, level, text, words, branch.kind, chord)


def _bent(first: Place, last: Place, *, chord: bool) -> tuple[str, float, float]:
    """Return the points of a branch from its upper to its lower bus, and where its words stand."""
    (x0, y0), (x1, y1) = sorted((first, last), key=lambda p: p[1])
    if chord:
        (x0, y0), (x1, y1) = sorted((first, last))
        x0, x1 = x0 + BAR - 8, x1 - BAR + 8
        low = max(y0, y1) + 26
        return f"{x0:.0f},{y0:.0f} {x0:.0f},{low:.0f} {x1:.0f},{low:.0f} {x1:.0f},{y1:.0f}", (x0 + x1) / 2, low + 12
    start = min(max(x1, x0 - BAR + 6), x0 + BAR - 6)
    bend = y0 + 22
    return (
        f"{start:.0f},{y0:.0f} {start:.0f},{bend:.0f} {x1:.0f},{bend:.0f} {x1:.0f},{y1:.0f}",
        x1 + 7,
        (bend + y1) / 2 + 8,
    )


def _pipes(
    carrier: str,
    network: PipeNetwork | GasNetwork,
    state: xr.Dataset,
    names: Names,
    w: Mapping[str, str],
    *,
    solved: bool,
) -> Diagram:
    root = network.plant_junction if isinstance(network, PipeNetwork) else network.source_junction
    ends = {p.id: (p.from_junction, p.to_junction) for p in network.pipes}
    places = hung(root, [*ends.values()], [j.id for j in network.junctions])
    # across the page: a junction stands one column behind the one that feeds it
    place = {j: (MARGIN / 2 + y * PIPE_COLUMN, 36 + x * 48.0) for j, (x, y) in places.items()}
    feeding = {min(pair, key=lambda j: place[j][0]) for pair in ends.values()}
    marks = [_junction(network, state, j.id, place[j.id], names.get(j.id, ())) for j in network.junctions]
    return Diagram(
        id=network.id,
        carrier=carrier,
        width=max(x for x, _ in place.values()) + 170,
        height=max(y for _, y in place.values()) + 40,
        marks=[replace(m, inner=m.id in feeding) for m in marks],
        ways=list(_tubes(carrier, network, ends, place, state)),
        mark_scale=w["scale_pressure"] if carrier == "gas" else w[f"scale_{carrier}"],
        way_scale=w["scale_speed"],
        solved=solved,
        figures=list(_told(network, state, w)),
    )


def _tubes(
    carrier: str,
    network: PipeNetwork | GasNetwork,
    ends: Mapping[str, tuple[str, str]],
    place: Mapping[str, Place],
    state: xr.Dataset,
) -> Iterator[Way]:
    speed, flow = _by_name(state, "velocity_m_per_s", "pipe"), _by_name(state, "flow_kg_per_s", "pipe")
    for pipe, (first, last) in ends.items():
        (x0, y0), (x1, y1) = sorted((place[first], place[last]))
        points = f"{x0:.0f},{y0:.0f} {x0 + 24:.0f},{y0:.0f} {x0 + 24:.0f},{y1:.0f} {x1:.0f},{y1:.0f}"
        share = abs(speed[pipe]) / network.velocity_max_m_per_s
        text = f"{abs(flow[pipe]):.1f} kg/s" if carrier != "gas" else f"{abs(speed[pipe]):.1f} m/s"
        words = f"{pipe}: {abs(flow[pipe]):.2f} kg/s, {abs(speed[pipe]):.2f} m/s ({grouped(100 * share)} %)"
        yield Way(pipe, points, x0 + 30, y1 - 5, level_of(share), text, words, "pipe")


def _junction(
    network: PipeNetwork | GasNetwork, state: xr.Dataset, junction: str, place: Place, titles: Sequence[str]
) -> Mark:
    """Return a junction: gas coloured by pressure, heat and cold by the temperature of what arrives."""
    own, here = state.sel(junction=junction), ", ".join(titles)
    if isinstance(network, GasNetwork):
        kpa = float(own["pressure_kpa"])
        share = (network.source_pressure_kpa - kpa) / (network.source_pressure_kpa - network.pressure_min_kpa)
        text = f"{grouped(kpa, 1)} kPa"
        words = f"{junction}: {text} (≥ {network.pressure_min_kpa:g}). {here}"
        return Mark(junction, *place, level_of(share), here or junction, text, words, here)
    degc, spread = float(own["supply_degc"]), abs(network.supply_degc - network.return_degc)
    share = abs(degc - network.supply_degc) / spread * 2.0
    text = f"{degc:.1f} °C"
    words = f"{junction}: {text}, {float(own['return_degc']):.1f} °C ←, Δp {grouped(float(own['dp_kpa']))} kPa. {here}"
    return Mark(junction, *place, level_of(share), here or junction, text, words, here)


def _told(network: PipeNetwork | GasNetwork, state: xr.Dataset, w: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is said of a whole network."""
    if isinstance(network, GasNetwork):
        yield w["taken_in"], f"{grouped(float(state['source_kw']))} kW"
        yield w["lowest_pressure"], _least(_by_name(state, "pressure_kpa", "junction"), "kPa", 1)
        yield w["linepack"], f"{grouped(float(state['linepack_kg']), 1)} kg"
        return
    yield w["plant_flow"], f"{float(state['plant_flow_kg_per_s']):.1f} kg/s"
    yield w["loss"], f"{grouped(float(state['loss_kw']), 1)} kW"
    yield w["pumps"], f"{grouped(float(state['pump_kw']), 1)} kW"
    yield w["least_dp"], _least(_by_name(state, "dp_kpa", "junction"), "kPa")


def _worst(values: Mapping[str, float], unit: str, factor: float = 1.0) -> str:
    name = max(values, key=lambda k: np.nan_to_num(values[k]), default="")
    return f"{grouped(factor * values[name])} {unit} ({name})" if name else "–"


def _least(values: Mapping[str, float], unit: str, digits: int | None = None) -> str:
    known = {k: v for k, v in values.items() if np.isfinite(v)}
    name = min(known, key=lambda k: known[k], default="")
    return (
        f"{grouped(known[name], 3 if digits is None and unit == 'pu' else digits or 0)} {unit} ({name})"
        if name
        else "–"
    )
