import numpy as np
import pandas as pd
import pytest
import xarray as xr

from models.networks.labels import Frame

FRAME = Frame({"bus": ("a", "b"), "branch": ("ab",)})
TIMES = pd.date_range("2026-01-01", periods=3, freq="15min")


def result(time: pd.Index) -> tuple[xr.Dataset, dict]:
    parts = {
        "vm_pu": (("bus", "time"), np.arange(2.0 * len(time)).reshape(2, -1)),
        "loading_share": (("branch", "time"), np.ones((1, len(time)))),
        "status": (("time",), np.zeros(len(time), np.int8)),
    }
    return FRAME.dataset(time, parts), parts


@pytest.mark.parametrize("time", [TIMES, TIMES[:1], pd.Index([0])])
def test_a_result_is_what_the_public_constructor_would_make(time):
    made, parts = result(time)
    public = xr.Dataset(parts, coords={"bus": ["a", "b"], "branch": ["ab"], "time": time})
    xr.testing.assert_identical(made, public)
    assert made.indexes.keys() == public.indexes.keys()
    assert dict(made.sizes) == dict(public.sizes)


def test_a_result_is_selected_joined_and_saved_like_any_other(tmp_path):
    made, _ = result(TIMES)
    assert made.vm_pu.sel(bus="b", time=TIMES[1]).item() == 4.0
    both = xr.concat([made, made.assign_coords(time=TIMES + pd.Timedelta("1h"))], "time")
    assert both.sizes["time"] == 6
    made.to_netcdf(tmp_path / "made.nc")
    assert (xr.load_dataset(tmp_path / "made.nc") == made).all()


def test_a_note_on_one_result_is_not_on_the_next():
    first, _ = result(TIMES)
    first["bus"].attrs["note"] = "mine"
    first["vm_pu"].attrs["note"] = "mine"
    second, _ = result(TIMES)
    assert not second["bus"].attrs
    assert not second["vm_pu"].attrs
