"""The loops run as plain Python too, and find the same."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sample_networks import district, gas_town

from models.networks.cold import solve_cold
from models.networks.gas import solve_gas
from models.networks.heat import solve_heat
from models.networks.linepack import advance_gas, start_gas
from models.networks.plugflow import advance_pipes, start_state
from models.networks.water import solve_water

HERE = Path(__file__).parent
PLAIN = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import numba
assert numba.config.DISABLE_JIT
from test_without_compiler import results
sys.stdout.buffer.write(pickle.dumps(results()))
"""


def results() -> dict[str, xr.Dataset]:
    """Return a few steps of every kind of pipe network."""
    rows = np.array([[300.0, 500.0, 200.0], [0.0, 0.0, 0.0], [900.0, 20.0, 10.0]])
    drawn = xr.DataArray(rows, dims=("time", "consumer"), coords={"consumer": ["x", "y", "z"]})
    offtake = drawn.assign_coords(consumer=["a", "b", "c"])
    heat, gas = district(meshed=True), gas_town(height_m=30.0)
    cold = district(carrier="cold", supply_degc=6.0, return_degc=12.0, ground_degc=15.0, friction="swamee_jain")
    water = district(carrier="water", meshed=True, friction="nikuradse")
    return {
        "heat": solve_heat(heat, drawn),
        "cold": solve_cold(cold, drawn / 5),
        "water": solve_water(water, drawn / 50),
        "gas": solve_gas(gas, offtake),
        "stations": solve_gas(gas_town(station=True, equation_of_state="cnga"), offtake),
        "plug flow": advance_pipes(heat, start_state(heat), drawn, step_s=300.0)[1],
        "linepack": advance_gas(gas, start_gas(gas), offtake, step_s=300.0)[1],
    }


@pytest.fixture(scope="module")
def plain() -> dict[str, xr.Dataset]:
    """What the same loops find without the compiler."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(HERE)],
        capture_output=True,
        env={"NUMBA_DISABLE_JIT": "1", "PATH": ""},
        cwd=HERE.parents[1],
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: dict[str, xr.Dataset] = pickle.loads(done.stdout)  # noqa: S301 # written by the child above
    return found


def test_loops_without_the_compiler_find_the_same(plain):
    compiled = results()
    assert plain.keys() == compiled.keys()
    for kind, ours in compiled.items():
        for name, values in ours.data_vars.items():
            if values.dtype.kind == "f" and not str(name).startswith("residual"):
                np.testing.assert_allclose(plain[kind][name], values, rtol=1e-9, atol=1e-9, err_msg=f"{kind} {name}")
        np.testing.assert_array_equal(plain[kind].status, ours.status)
