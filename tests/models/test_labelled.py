"""Arrays that are put together fast are the same as those that xarray's own constructor makes."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.horizon import Horizon
from models.labelled import labelled, named, plain, rows_of, time_axis

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = Horizon.uniform(START, START + timedelta(hours=3), timedelta(hours=1))
VALUES = np.arange(6.0).reshape(2, 3)


def public() -> xr.DataArray:
    return xr.DataArray(VALUES, {"asset": ["pv", "chp"], "time": DAY.times}, ("asset", "time"), "power_kw")


def fast() -> xr.DataArray:
    return labelled(VALUES, named("asset", ["pv", "chp"]), time_axis(DAY), name="power_kw")


def test_is_what_the_public_constructor_makes() -> None:
    xr.testing.assert_identical(fast(), public())
    assert fast()["asset"].dtype == public()["asset"].dtype
    xr.testing.assert_identical(
        fast().sel(asset="chp", time=DAY.times[1]), public().sel(asset="chp", time=DAY.times[1])
    )
    xr.testing.assert_identical(fast() + public(), public() * 2)


def test_notes_on_one_array_are_not_on_the_next() -> None:
    fast().coords["asset"].attrs["seen"] = "once"
    fast()["asset"].attrs["seen"] = "twice"
    assert not fast()["asset"].attrs


def test_refuses_values_of_another_shape() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        labelled(VALUES.T, named("asset", ["pv", "chp"]), time_axis(DAY))


def test_reads_values_in_any_order() -> None:
    turned = public().transpose("time", "asset")
    assert np.array_equal(plain(turned, "asset", "time"), VALUES)
    assert {name: row.tolist() for name, row in rows_of(turned, "asset").items()} == {"pv": [0, 1, 2], "chp": [3, 4, 5]}
    with pytest.raises(ValueError, match="no order"):
        plain(turned, "asset", "carrier")
