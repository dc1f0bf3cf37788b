"""Arrays under labels, put together as fast as a rolling plan needs them.

xarray checks every label of every array that it is given, which costs more than the arithmetic of a plan's step. Labels that stay the
same are made once here and kept; arrays are then put together as they are. A test holds the result against the public constructor's.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from xarray.indexes import Index, PandasIndex

from models.horizon import Horizon


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension with its labels."""

    dim: str
    index: PandasIndex
    variable: xr.Variable

    def __len__(self) -> int:
        return int(self.variable.size)


@lru_cache(maxsize=512)
def _named(dim: str, labels: tuple[str, ...]) -> Axis:
    known = xr.Dataset(coords={dim: list(labels)})
    index = known.xindexes[dim]
    assert isinstance(index, PandasIndex)  # noqa: S101 - what one dimension of plain labels gets
    return Axis(dim, index, known.variables[dim])


def named(dim: str, labels: Sequence[str]) -> Axis:
    """Return an axis of names."""
    return _named(dim, tuple(labels))


def along(dim: str, index: pd.Index) -> Axis:
    """Return an axis of any index: instants or plain numbers."""
    global _latest
    latest = _latest
    if latest is None or latest.dim != dim or latest.index.index is not index:
        made = PandasIndex(index, dim)
        _latest = latest = Axis(dim, made, made.create_variables()[dim])
    return latest


_latest: Axis | None = None


@lru_cache(maxsize=64)
def time_axis(horizon: Horizon) -> Axis:
    """Return the steps of a horizon by their starts."""
    return along("time", horizon.times)


def labelled(values: npt.NDArray[Any], *axes: Axis, name: str | None = None) -> xr.DataArray:
    """Return values under labels, one axis per dimension in its order.

    Raises
    ------
    ValueError
        If the values have another shape than the axes.
    """
    if values.shape != tuple(len(a) for a in axes):
        raise ValueError(f"values of shape {values.shape} do not fit axes of {[(a.dim, len(a)) for a in axes]}")
    coords = {a.dim: fresh(a) for a in axes}
    variable = xr.Variable(tuple(a.dim for a in axes), values, fastpath=True)
    indexes: dict[Hashable, Index] = {a.dim: a.index for a in axes}
    return xr.DataArray(variable, coords, name=name, indexes=indexes, fastpath=True)


def fresh(axis: Axis) -> xr.Variable:
    """Return an axis' labels as a variable of its own, so that notes on one array are not on the next."""
    return xr.IndexVariable(axis.variable.dims, axis.variable._data, fastpath=True)  # type: ignore[no-untyped-call] # untyped there


def plain(array: xr.DataArray, *dims: str) -> npt.NDArray[Any]:
    """Return an array's values without labels, its dimensions in this order; ValueError where it has other ones."""
    if set(array.dims) != set(dims):
        raise ValueError(f"an array of dims {array.dims} has no order {dims}")
    return np.transpose(array.to_numpy(), [array.dims.index(d) for d in dims])


def rows_of(array: xr.DataArray, dim: str, over: str = "time") -> dict[str, npt.NDArray[Any]]:
    """Return an array with dims (dim, over) as one row per label of ``dim``."""
    return dict(zip(array.get_index(dim).tolist(), plain(array, dim, over), strict=True))
