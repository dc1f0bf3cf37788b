"""Bring labelled series into the plain (time, element) arrays that kernels read, and arrays back under labels.

A step of a network takes less time than building its labels anew, so labels are built once and kept.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from xarray.indexes import Index

from models.errors import DataError
from models.findings import Finding, error
from models.labelled import along, fresh, named

FloatArray = npt.NDArray[np.float64]
Labelled = Mapping[str, tuple[tuple[str, ...], npt.NDArray[Any]]]
"""Dims and values by name."""
Axis = pd.Index  # of any kind: instants or plain numbers
SINGLE = pd.Index([0])


class Frame:
    """The labels of a network's results: elements that stay the same, put beside each result's own time axis."""

    def __init__(self, elements: Mapping[str, Sequence[str]]) -> None:
        self.names = {dim: np.array(ids, dtype=str) for dim, ids in elements.items()}
        self._axes = {dim: named(dim, ids) for dim, ids in elements.items()}

    def dataset(self, time: Axis, variables: Labelled) -> xr.Dataset:
        """Return the variables, whose dims are this frame's elements and ``time``, under their labels.

        The parts are put together as they are: checking labels that were made here and shapes that kernels have filled takes four
        times as long as a step. A test holds the result against the public constructor's.
        """
        axes = self._axes | {"time": along("time", time)}
        labelled: dict[Hashable, xr.Variable] = {dim: fresh(axis) for dim, axis in axes.items()}
        for name, (dims, values) in variables.items():
            labelled[name] = xr.Variable(dims, values, fastpath=True)
        sizes: dict[Hashable, int] = {dim: len(axis) for dim, axis in axes.items()}
        indexes: dict[Hashable, Index] = {dim: axis.index for dim, axis in axes.items()}
        return xr.Dataset._construct_direct(labelled, set(axes), sizes, indexes=indexes)


def table(
    series: xr.DataArray, dim: str, ids: Sequence[str], time: Axis | xr.DataArray | None, name: str
) -> FloatArray:
    """Return ``series`` as (time, element) in the order of ``ids``; elements that are absent count as zero.

    Raises ``DataError`` when the series names an element that the network lacks, or is not given at ``time``.
    """
    in_order = _in_order(series, dim, ids)
    findings = [] if in_order else _wrong_labels(series, dim, ids, name)
    if findings:
        raise DataError(findings)
    if time is not None and not _same_time(series, time):
        raise DataError([error(name, "covers other times than the other series; bring both onto one time axis")])
    values = series.to_numpy()
    steps = values.reshape(1, -1) if values.ndim == 1 else (values if series.dims[0] == "time" else values.T)
    if in_order:
        return spread(steps, steps.shape)
    place = {element: k for k, element in enumerate(ids)}
    full = np.zeros((len(steps), len(ids)))
    full[:, [place[str(i)] for i in series[dim].to_numpy()]] = steps
    return full


def _in_order(series: xr.DataArray, dim: str, ids: Sequence[str]) -> bool:
    """Return whether a series names exactly the elements ``ids`` in this order."""
    if dim not in series.coords or not set(series.dims) <= {dim, "time"}:
        return False
    return bool(series.get_index(dim).equals(_index(tuple(ids))))


@lru_cache(maxsize=256)
def _index(ids: tuple[str, ...]) -> "pd.Index[str]":
    return pd.Index(ids, dtype=object)


def spread(value: npt.ArrayLike, shape: int | tuple[int, ...]) -> FloatArray:
    """Return a value broadcast into a fresh array; kernels are compiled again for read-only or strided views."""
    out = np.empty(shape)
    out[...] = value
    return out


def _wrong_labels(series: xr.DataArray, dim: str, ids: Sequence[str], name: str) -> list[Finding]:
    if dim not in series.dims or not set(series.dims) <= {dim, "time"}:
        return [error(name, f"has dims {tuple(series.dims)}; expected {dim} and time")]
    given = [str(i) for i in series[dim].to_numpy()]
    unknown = sorted(set(given) - set(ids))
    twice = sorted({i for i in given if given.count(i) > 1}) if len(set(given)) < len(given) else []
    return [
        *(error(name, f"names {dim} {i!r}, which the network does not have", i) for i in unknown),
        *(error(name, f"names {dim} {i!r} more than once", i) for i in twice),
    ]


def _same_time(steps: xr.DataArray, time: Axis | xr.DataArray) -> bool:
    if "time" not in steps.dims:
        return time.size == 1
    if steps.sizes["time"] != time.size:
        return False
    if "time" not in steps.coords or (isinstance(time, xr.DataArray) and "time" not in time.coords):
        return True
    return bool(axis_of(steps).equals(axis_of(time) if isinstance(time, xr.DataArray) else time))


def axis_of(series: xr.DataArray) -> Axis:
    """Return the time axis of a series as an index; a series without one counts as a single step 0."""
    return series.get_index("time") if "time" in series.dims else SINGLE


def time_of(series: xr.DataArray) -> xr.DataArray:
    """Return the time axis of a series; a series without one counts as a single step 0."""
    if "time" in series.dims:
        return series["time"]
    return xr.DataArray([0], dims="time", coords={"time": [0]})
