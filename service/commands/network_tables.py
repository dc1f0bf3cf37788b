"""States of networks as the terminal shows them: extremes at an instant and over a year, elements, outages."""

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from rich.table import Table

from models.networks.data import ElectricNetwork
from models.networks.status import Status
from service.commands.network_files import States
from service.commands.screen import count
from service.console.figures import grouped

UNITS = {
    "vm_pu": ("voltage", "pu", 4),
    "loading_share": ("loading", "share", 3),
    "supply_degc": ("supply", "degC", 1),
    "return_degc": ("return", "degC", 1),
    "pressure_kpa": ("pressure", "kPa", 1),
    "loss_kw": ("losses", "kW", 1),
}
WORDS = {Status.OK: "", Status.ISLAND: "islands", Status.NOT_CONVERGED: "no solution"}


def extremes(states: Mapping[str, xr.Dataset]) -> Table:
    """Return the lowest and highest value of every quantity in every network at one instant, with the element that has it."""
    table = Table(title="Networks", title_justify="left", header_style="bold")
    for name in ("network", "quantity", "lowest", "at", "highest", "at"):
        table.add_column(name, justify="right" if name in ("lowest", "highest") else "left", overflow="fold")
    for network, state in states.items():
        for name, (title, unit, digits) in UNITS.items():
            if name not in state:
                continue
            values, places = _by_element(state[name])
            if not np.isfinite(values).any():
                continue
            low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
            single = ("", "", grouped(values[high], digits), places[high])
            row = single if len(values) == 1 else (grouped(values[low], digits), places[low], *single[2:])
            table.add_row(network, f"{title}, {unit}", *row)
    return table


def element_tables(network: str, state: xr.Dataset) -> Iterator[Table]:
    """Yield a table for every kind of element of a network at one instant."""
    for dim in ("bus", "branch", "junction", "pipe"):
        if dim in state.dims:
            yield _element_table(f"{network}, {dim}", state, dim)


def _element_table(title: str, state: xr.Dataset, dim: str) -> Table:
    """Return every element of one kind with all its quantities."""
    names = [n for n in state.data_vars if state[n].dims == (dim,) and np.issubdtype(state[n].dtype, np.floating)]
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column(dim)
    for name in names:
        table.add_column(str(name), justify="right")
    for index, element in enumerate(state[dim].values):
        table.add_row(str(element), *(grouped(float(state[n].values[index]), 4) for n in names))
    return table


def _by_element(array: xr.DataArray) -> tuple[np.ndarray, list[str]]:
    values = np.atleast_1d(np.asarray(array.values, dtype=float)).ravel()
    if array.ndim == 1:
        return values, [str(p) for p in array[array.dims[0]].values]
    return values, [""] * len(values)


def year_table(states: States) -> Table:
    """Return what every network went through: steps not solved, extremes with their element and hour."""
    steps = next(iter(states.values())).sizes["time"]
    table = Table(title=f"{steps} steps", title_justify="left", header_style="bold")
    for name in ("network", "not solved", "quantity", "lowest", "at", "highest", "at"):
        table.add_column(name, justify="right" if name in ("not solved", "lowest", "highest") else "left")
    for network, state in states.items():
        failed = str(int((state["status"] != Status.OK).sum()))
        for name, title, digits in SHOWN:
            if name in state:
                low, high = extreme(state[name], highest=False), extreme(state[name], highest=True)
                table.add_row(
                    network, failed, title, grouped(low[0], digits), low[1], grouped(high[0], digits), high[1]
                )
                network = failed = ""
    return table


SHOWN = (
    ("vm_pu", "voltage, pu", 4),
    ("loading_share", "loading, share", 3),
    ("supply_degc", "supply, degC", 1),
    ("dp_kpa", "pressure difference, kPa", 1),
    ("pressure_kpa", "pressure, kPa", 2),
    ("velocity_m_per_s", "velocity, m/s", 2),
    ("loss_kw", "losses, kW", 1),
)


def extreme(array: xr.DataArray, *, highest: bool) -> tuple[float, str]:
    """Return the lowest or highest value of an array and where it occurs: element and hour, UTC; NaN and nowhere without any."""
    values = array.to_numpy()
    if not np.isfinite(values).any():
        return float("nan"), ""
    index = np.unravel_index(np.nanargmax(values) if highest else np.nanargmin(values), values.shape)
    place = {str(d): array[d].to_numpy()[i] for d, i in zip(array.dims, index, strict=True)}
    hour = np.datetime_as_string(place.pop("time"), unit="h")
    return float(values[index]), " ".join([*(str(p) for p in place.values()), hour])


def outage_table(network: ElectricNetwork, found: xr.Dataset, title: str) -> Table:
    """Return one row per outage: lowest voltage, heaviest branch, who is left without supply."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("outage", "lowest, pu", "highest load, %", "dark, kW"):
        table.add_column(name, justify="right" if "," in name else "left", no_wrap=True)
    table.add_column("without supply", overflow="fold")
    now = found.isel(time=0)
    order = np.lexsort((-now.loading_max_share.to_numpy(), -now.unsupplied_kw.to_numpy()))
    for k in order.tolist():
        one = now.isel(outage=k)
        vm = one.vm_pu.to_numpy()
        lowest = str(one.bus.to_numpy()[int(np.nanargmin(vm))])
        dead = [str(b) for b in one.bus.to_numpy()[np.isnan(vm)]]
        named = ", ".join(dead[:2]) + (f" and {len(dead) - 2} more" if len(dead) > 2 else "")
        table.add_row(
            str(one.outage.item()),
            f"{lowest} {grouped(float(one.vm_min_pu.item()), 4)}",
            f"{one.worst_branch.item()} {grouped(100 * float(one.loading_max_share.item()), 1)}",
            grouped(float(one.unsupplied_kw.item())),
            WORDS[Status.NOT_CONVERGED] if int(one.status.item()) == Status.NOT_CONVERGED else named,
            style="yellow" if hurts(network, one) else "",
        )
    return table


def hurts(network: ElectricNetwork, one: xr.Dataset) -> bool:
    """Return whether an outage leaves somebody without supply, a voltage outside its band or a branch overloaded."""
    low = {b.id: b.vm_min_pu for b in network.buses}
    vm = zip(one.bus.to_numpy(), one.vm_pu.to_numpy(), strict=True)
    return (
        int(one.status.item()) != Status.OK
        or float(one.loading_max_share.item()) > 1.0
        or any(v < low[str(b)] for b, v in vm)
    )


def summary(network: ElectricNetwork, found: xr.Dataset) -> str:
    """Return how many outages the grid carries without anybody noticing."""
    cases = [found.isel(time=0, outage=k) for k in range(found.sizes["outage"])]
    bad = sum(hurts(network, c) for c in cases)
    return f"{count(len(cases) - bad, 'outage')} of {len(cases)} within all limits, {bad} not"
