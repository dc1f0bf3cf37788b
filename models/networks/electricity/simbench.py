"""Read SimBench grids with their year of profiles; needs the optional package ``simbench``."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from models.errors import DataError, SetupError
from models.findings import error
from models.networks.electricity.compile import FloatArray
from models.networks.electricity.importers import ImportedGrid, bus_names, from_pandapower

TIME_FORMAT = "%d.%m.%Y %H:%M"


@dataclass(frozen=True, slots=True)
class SimbenchGrid:
    """A grid with a year of quarter hours."""

    grid: ImportedGrid
    p_kw: xr.DataArray
    """Power fed into each bus, dims (time, bus); loads are negative. Times as the data set names them, in local standard time."""
    q_kvar: xr.DataArray


def read_simbench(code: str) -> SimbenchGrid:
    """Return a SimBench grid by its code, for example ``1-MV-rural--0-sw``.

    Raises
    ------
    SetupError
        When the package ``simbench`` is not installed.
    DataError
        When no grid has this code.

    Source: Meinecke et al., SimBench - a benchmark dataset of electric power systems, Energies 13(12), 2020.
    """
    try:
        import simbench
    except ImportError:
        raise SetupError(
            "SimBench grids need the package simbench: pip install 'jouletwin[simbench]' brings it"
        ) from None
    codes = [str(c) for c in simbench.collect_all_simbench_codes()]
    if code not in codes:
        near = ", ".join(get_close_matches(code, codes, 3)) or "one like 1-MV-rural--0-sw"
        raise DataError([error(code, f"is no SimBench grid; near it are {near}")])
    net = simbench.get_simbench_net(code)
    profiles = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    return from_simbench(net, profiles, code)


def from_simbench(net: Any, profiles: Mapping[tuple[str, str], pd.DataFrame], name: str) -> SimbenchGrid:
    """Return a loaded SimBench net and the absolute values of its profiles as a grid with series."""
    time = pd.to_datetime(net.profiles["load"]["time"], format=TIME_FORMAT).to_numpy().astype("datetime64[ns]")
    p, q = (_series(net, profiles, column, time) for column in ("p_mw", "q_mvar"))
    return SimbenchGrid(from_pandapower(net, name), p, q)


def _series(net: Any, profiles: Mapping[tuple[str, str], pd.DataFrame], column: str, time: np.ndarray) -> xr.DataArray:
    names = bus_names(net)
    place = {bus: i for i, bus in enumerate(names)}
    total = np.zeros((len(time), len(names)))
    for table, sign in (("load", -1e3), ("sgen", 1e3), ("gen", 1e3), ("storage", -1e3)):
        if column not in net[table] or not len(net[table]):
            continue
        power = _power(net[table], profiles.get((table, column)), column, len(time))
        for i, bus in enumerate(net[table]["bus"]):
            total[:, place[bus]] += sign * power[:, i]
    return xr.DataArray(total, {"time": time, "bus": list(names.values())}, ("time", "bus"), column)


def _power(table: pd.DataFrame, profile: pd.DataFrame | None, column: str, steps: int) -> FloatArray:
    """Return what a table's elements draw or feed, MW, dims (step, element): their profile, else their fixed value."""
    fixed = table[column].fillna(0.0).to_numpy(float)
    values = np.repeat(fixed[None, :], steps, axis=0)
    if profile is not None and len(profile):
        known = table.index.get_indexer(profile.columns)
        values[:, known] = profile.to_numpy(float)
    return np.asarray(values * (table["scaling"].fillna(1.0) * table["in_service"]).to_numpy(float))
