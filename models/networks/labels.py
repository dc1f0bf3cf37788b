"""Bring labelled series into the plain (time, element) arrays that kernels read."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.errors import DataError
from models.findings import Finding, error

FloatArray = npt.NDArray[np.float64]


def table(series: xr.DataArray, dim: str, ids: Sequence[str], time: xr.DataArray | None, name: str) -> FloatArray:
    """Return ``series`` as (time, element) in the order of ``ids``; elements that are absent count as zero.

    Raises ``DataError`` when the series names an element that the network lacks, or is not given at ``time``.
    """
    findings = list(_wrong_labels(series, dim, ids, name))
    if findings:
        raise DataError(findings)
    steps = (
        series.transpose("time", dim) if "time" in series.dims else series.expand_dims(time=1).transpose("time", dim)
    )
    if time is not None and not _same_time(steps, time):
        raise DataError([error(name, "covers other times than the other series; bring both onto one time axis")])
    given = [str(i) for i in steps[dim].to_numpy()]
    if given == list(ids):
        return spread(steps.to_numpy(), steps.shape)
    place = {element: k for k, element in enumerate(ids)}
    full = np.zeros((steps.sizes["time"], len(ids)))
    full[:, [place[i] for i in given]] = steps.to_numpy()
    return full


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


def _same_time(steps: xr.DataArray, time: xr.DataArray) -> bool:
    if steps.sizes["time"] != time.sizes["time"]:
        return False
    return "time" not in steps.coords or "time" not in time.coords or bool((steps["time"] == time).all())


def time_of(series: xr.DataArray) -> xr.DataArray:
    """Return the time axis of a series; a series without one counts as a single step 0."""
    if "time" in series.dims:
        return series["time"]
    return xr.DataArray([0], dims="time", coords={"time": [0]})
