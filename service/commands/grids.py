"""``flow`` and ``n1`` of a grid that is no site: a pandapower net, a MATPOWER case, a SimBench grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from models.errors import DataError, SetupError
from models.findings import Finding, errors_in
from models.networks.data import ElectricNetwork
from models.networks.electricity import linear_flow, n1, solve_electricity
from models.networks.electricity.importers import ImportedGrid, read_pandapower
from models.networks.electricity.matpower import read_matpower
from models.networks.status import Status
from service.commands.files import require_writable
from service.commands.n1 import flat
from service.commands.network_files import WRITERS, write_states
from service.commands.network_tables import element_tables, extremes, outage_table, summary, year_table
from service.commands.screen import console, findings_table, progress_console
from service.console.figures import grouped

SIMBENCH = "simbench:"
READERS: Mapping[str, Callable[[Path], ImportedGrid]] = {".json": read_pandapower, ".m": read_matpower}


@dataclass(frozen=True, slots=True)
class GridCase:
    """A grid with the powers fed into its buses, dims (bus, time): one state, or a year of quarter hours."""

    network: ElectricNetwork
    p_kw: xr.DataArray
    q_kvar: xr.DataArray
    findings: tuple[Finding, ...]


def is_grid(source: Path) -> bool:
    """Return whether a name on the command line means a grid and not a site file."""
    return str(source).startswith(SIMBENCH) or source.suffix.lower() in READERS


def load_grid(source: Path) -> GridCase:
    """Return the grid that a name means: ``FILE.json`` (pandapower), ``FILE.m`` (MATPOWER) or ``simbench:CODE``.

    Raises
    ------
    SetupError
        When the file cannot be read, or the package for SimBench is missing.
    DataError
        With every finding when the grid has parts that the model cannot hold.
    """
    if str(source).startswith(SIMBENCH):
        from models.networks.electricity.simbench import read_simbench

        found = read_simbench(str(source).removeprefix(SIMBENCH))
        case = GridCase(found.grid.network, found.p_kw, found.q_kvar, found.grid.findings)
    else:
        if not source.is_file():
            raise SetupError(f"{source}: no such file; give a pandapower .json, a MATPOWER .m or {SIMBENCH}CODE")
        grid = READERS[source.suffix.lower()](source)
        case = GridCase(grid.network, _one_step(grid.p_kw), _one_step(grid.q_kvar), grid.findings)
    if errors_in(case.findings):
        raise DataError(case.findings)
    return case


def _one_step(power: Mapping[str, float]) -> xr.DataArray:
    values = np.array(list(power.values()))[:, None]
    return xr.DataArray(values, {"bus": list(power), "time": np.zeros(1, "datetime64[ns]")}, ("bus", "time"))


def at_instant(case: GridCase, at: datetime) -> GridCase:
    """Return one step of a case: its only one, or that of the same day and hour in the year of its profiles."""
    times = case.p_kw["time"].to_numpy()
    first = times[0].astype("datetime64[s]").item()
    wanted = at.replace(tzinfo=None, year=first.year if len(times) > 1 else at.year)
    step = int(np.clip((wanted - first).total_seconds() // 900, 0, len(times) - 1))
    p, q = (series.isel(time=slice(step, step + 1)) for series in (case.p_kw, case.q_kvar))
    now = [np.datetime64(wanted, "ns")]
    return GridCase(case.network, p.assign_coords(time=now), q.assign_coords(time=now), case.findings)


def show_grid(source: Path, at: datetime, *, full: bool, linear: bool, out: Path | None, plot: Path | None) -> int:
    """Print the power flow of a grid at one instant; return 1 when it has no solution."""
    require_writable(out, WRITERS)
    case = at_instant(load_grid(source), at)
    _tell(case)
    states = {case.network.id: solve_electricity(case.network, case.p_kw, case.q_kvar)}
    state = states[case.network.id].isel(time=0)
    console.print(extremes({case.network.id: state}))
    if full:
        for table in element_tables(case.network.id, state):
            console.print(table)
    if linear:
        console.print(linear_words(case, states[case.network.id]))
    if out is not None:
        write_states(states, out)
    if plot is not None:
        from service.pictures.sheet import write_sheet  # matplotlib takes a second to import

        write_sheet([case.network], {case.network.id: state}, case.network.id, plot)
    return _solved(states)


def show_grid_year(source: Path, year: int, *, out: Path | None) -> int:
    """Print what a grid goes through in the year of its profiles; return 1 when a quarter hour has no solution."""
    require_writable(out, WRITERS)
    with progress_console.status(f"{source}: reading the grid and its profiles"):
        case = load_grid(source)
    known = int(case.p_kw["time"].to_numpy()[0].astype("datetime64[Y]").astype(int)) + 1970
    if case.p_kw.sizes["time"] == 1:
        raise SetupError(f"{source} holds one state and no profiles; leave --year out, or use a SimBench grid")
    if year != known:
        raise SetupError(f"{source} holds profiles of {known}; use --year {known}")
    _tell(case)
    with progress_console.status(f"{case.network.id}: {case.p_kw.sizes['time']} steps"):
        states = {case.network.id: solve_electricity(case.network, case.p_kw, case.q_kvar)}
    console.print(year_table(states))
    if out is not None:
        write_states(states, out)
    return _solved(states)


def show_grid_outages(source: Path, at: datetime, *, out: Path | None) -> None:
    """Print every single outage of a grid at one instant, gravest first."""
    require_writable(out, WRITERS)
    case = at_instant(load_grid(source), at)
    _tell(case)
    found = n1(case.network, case.p_kw, case.q_kvar)
    console.print(outage_table(case.network, found, f"{case.network.id}: single outages"))
    console.print(summary(case.network, found))
    if out is not None:
        write_states({case.network.id: flat(found)}, out)


def linear_words(case: GridCase, flow: xr.Dataset) -> str:
    """Return how far the linear model of planning studies is from the AC power flow."""
    guess = linear_flow(case.network, case.p_kw, case.q_kvar)
    off_kw = np.nan_to_num(abs(guess["p_from_kw"] - flow["p_from_kw"]).isel(time=0).to_numpy())
    worst = int(np.argmax(off_kw))
    branch = str(flow["branch"].to_numpy()[worst])
    words = f"linear model (PTDF): real powers up to {grouped(off_kw[worst])} kW off, at {branch}"
    if "vm_pu" not in guess:
        return f"{words}; no LinDistFlow, since the grid has loops or held voltages"
    off_pu = float(abs(guess["vm_pu"] - flow["vm_pu"]).max())
    return f"{words}; LinDistFlow: voltages up to {off_pu:.4f} pu off"


def _tell(case: GridCase) -> None:
    if case.findings:
        console.print(findings_table(case.findings))


def _solved(states: Mapping[str, xr.Dataset]) -> int:
    return int(any((s["status"] == Status.NOT_CONVERGED).any() for s in states.values()))
