"""States of networks as files: zarr and netCDF for arrays, Parquet and CSV for tables, JSON for programs."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from service.commands.files import write_as

States = Mapping[str, xr.Dataset]
"""By network id; quantities over an element dim and time, with the unit in each name."""


def write_states(states: States, path: Path) -> None:
    """Write network states in the format that the file's ending names: ``.zarr`` (a folder), ``.nc``, ``.parquet``, ``.csv`` or ``.json``.

    Raises
    ------
    SetupError
        If the ending is another one or the file cannot be written.
    """
    write_as(WRITERS, states, path)


def one_dataset(states: States) -> xr.Dataset:
    """Return all networks as one dataset; every name but ``time`` begins with its network's id."""
    parts = []
    for network, state in states.items():
        names = {n: f"{network}.{n}" for n in (*state.data_vars, *state.dims) if n != "time"}
        parts.append(state.rename(names))
    return xr.merge(parts, join="exact", compat="equals").assign_attrs(
        sign="positive power feeds the network; time names the start of each step, UTC"
    )


def one_table(states: States) -> pd.DataFrame:
    """Return all networks as a table: one row per step, one column per ``network.element.quantity``."""
    columns = {f"{network}.{name}": values for network, state in states.items() for name, values in _columns(state)}
    time = next(iter(states.values()))["time"].to_numpy()
    return pd.DataFrame(columns, index=pd.Index(pd.DatetimeIndex(time).tz_localize("UTC"), name="start_utc"))


def _columns(state: xr.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    for name, array in state.data_vars.items():
        if array.dims == ("time",):
            yield str(name), array.to_numpy()
            continue
        (dim,) = (d for d in array.dims if d != "time")
        table = array.transpose(dim, "time").to_numpy()
        for element, values in zip(array[dim].to_numpy(), table, strict=True):
            yield f"{element}.{name}", values


def _netcdf(states: States, path: Path) -> None:
    one_dataset(states).to_netcdf(path, engine="scipy")


def _zarr(states: States, path: Path) -> None:
    data = one_dataset(states)
    words = {n: v.astype(str) for n, v in data.variables.items() if v.dtype == object}  # zarr keeps text of fixed width
    data.assign(words).to_zarr(path, mode="w", zarr_format=2)


def _parquet(states: States, path: Path) -> None:
    one_table(states).to_parquet(path)


def _csv(states: States, path: Path) -> None:
    one_table(states).to_csv(path, float_format="%.6g")


def _json(states: States, path: Path) -> None:
    table = one_table(states)
    body = {"start_utc": [t.isoformat() for t in table.index]}
    body |= {str(name): [_plain(v) for v in table[name]] for name in table.columns}
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """Return a number that JSON knows, None for one that is not finite, and text as it is."""
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type] # everything else in a state is a number
    return number if np.isfinite(number) else None


WRITERS: Mapping[str, Callable[[States, Path], None]] = {
    ".zarr": _zarr,
    ".nc": _netcdf,
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
}
