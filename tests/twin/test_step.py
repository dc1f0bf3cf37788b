"""The twin one step on: stores, balances and the electric grid together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carriers import Carrier
from models.horizon import Horizon
from models.site import Site
from models.state import UnitState
from twin.energy import energy_balance, machine_powers
from twin.state import powers_of, start_snapshot, stored_of, trajectory
from twin.step import Moves, Twin, moves_at

NOON = datetime(2015, 7, 15, 12, tzinfo=UTC)
SERIES = {
    "works_el_kw": 1000.0, "works_heat_kw": 500.0, "works_cold_kw": 300.0, "works_gas_kw": 100.0, "pv_pu": 0.25,
    "wind_pu": 0.0, "air_degc": 7.0, "washer_kw": 60.0, "works_water_m3_per_h": 2.0,
}  # fmt: skip
E, H = Carrier.ELECTRICITY, Carrier.HEAT


@pytest.fixture(scope="module")
def twin(site: Site) -> Twin:
    return Twin(site)


def test_a_quarter_of_an_hour_moves_energy_from_the_battery_to_the_works(site: Site, twin: Twin) -> None:
    before = start_snapshot(site, NOON)
    after = twin.step(before, {"battery": 400.0}, SERIES, 0.25)
    assert after.at == NOON + timedelta(minutes=15)
    assert stored_of(after)["battery"] == pytest.approx(stored_of(before)["battery"] - 100.0 / 0.95)
    power = powers_of(after)
    loss = float(after.networks["grid_20kv"]["loss_kw"])
    assert loss > 20.0  # the transformer's iron alone
    assert power["pcc", E] == pytest.approx(1060.0 + loss - 500.0 - 400.0)


def test_the_grid_meter_agrees_with_the_power_flow(site: Site, twin: Twin) -> None:
    after = twin.step(start_snapshot(site, NOON), {"chp": 800.0, "cars": -100.0}, SERIES, 0.25)
    assert powers_of(after)["pcc", E] == pytest.approx(float(after.networks["grid_20kv"]["slack_p_kw"]), abs=1e-6)


def test_units_count_the_hours_in_their_state(site: Site, twin: Twin) -> None:
    one = twin.step(start_snapshot(site, NOON), {"chp": 500.0}, SERIES, 0.25)
    two = twin.step(one, {"chp": 500.0}, SERIES, 0.25)
    assert two.units["chp"] == UnitState(True, 0.5)
    assert two.units["pump"] == UnitState(False, 24.5)


def test_vehicles_arrive_with_their_need(site: Site, twin: Twin) -> None:
    eight = datetime(2015, 7, 15, 7, 45, tzinfo=UTC)
    after = twin.step(start_snapshot(site, eight), {}, SERIES, 0.25)
    assert stored_of(after)["cars"] == 400.0
    charged = twin.step(after, {"cars": -200.0}, SERIES, 0.25)
    assert stored_of(charged)["cars"] == pytest.approx(400.0 - 45.0)


def test_steps_in_a_row_are_a_trajectory(site: Site, twin: Twin) -> None:
    now = start_snapshot(site, NOON)
    row = [now, twin.step(now, {}, SERIES, 0.25)]
    found = trajectory(row)
    assert isinstance(found, xr.Dataset)
    assert dict(found.sizes) == {"asset": 17, "carrier": 5, "time": 2, "keeper": 5}
    assert float(found.power_kw.sel(asset="works", carrier="electricity").isel(time=1)) == -1000.0


def test_measured_powers_become_network_states(site: Site, twin: Twin) -> None:
    after = twin.step(start_snapshot(site, NOON), {"chp": 800.0}, SERIES, 0.25)
    seen = twin.observe(replace(after, networks={}))
    xr.testing.assert_allclose(seen.networks["grid_20kv"], after.networks["grid_20kv"])


@settings(max_examples=25, deadline=None)
@given(
    battery=st.lists(st.floats(-1500.0, 1500.0), min_size=8, max_size=8),
    chp=st.lists(st.floats(0.0, 800.0), min_size=8, max_size=8),
    demand=st.lists(st.floats(0.0, 3000.0), min_size=8, max_size=8),
    share=st.floats(0.0, 1.0),
)
def test_no_energy_is_made_or_lost_over_a_stretch_of_time(
    site: Site, battery: list[float], chp: list[float], demand: list[float], share: float
) -> None:
    twin, quarters = Twin(site), Horizon.uniform(NOON, NOON + timedelta(hours=2))
    series = {name: np.full(8, value) for name, value in SERIES.items()} | {"works_heat_kw": np.array(demand)}
    moves = moves_at(series, {"battery": np.array(battery), "chp": np.array(chp)}, 8)
    stored = stored_of(start_snapshot(site, NOON, share)) | {"cars": 0.0}
    replay = twin.replay(stored, quarters, moves)
    for carrier in (E, H, Carrier.COLD, Carrier.GAS, Carrier.HYDROGEN):
        for balance in replay.balances:
            fed = sum(kw for (_, c), kw in balance.power_kw.items() if c is carrier)
            assert fed == pytest.approx(balance.losses_kw[carrier], abs=1e-6)
    for store in twin.station.stores:
        kept = stored[store.id]
        for balance, after in zip(replay.balances, replay.stored_kwh, strict=True):
            kept = store.stored_after(kept, balance.power_kw[store.id, store.control], 0.25)
            assert after[store.id] == pytest.approx(kept, abs=1e-9)
            assert kept <= store.stored_max_kwh + 1e-6


@pytest.mark.parametrize(("pv_pu", "short"), [(0.0, True), (0.25, False)])
def test_without_the_public_grid_losses_and_what_is_done_agree(
    site: Site, twin: Twin, pv_pu: float, short: bool
) -> None:
    horizon = Horizon.uniform(NOON, NOON + timedelta(hours=1), timedelta(minutes=15))
    moves = Moves([{"chp": 700.0}] * 4, [SERIES | {"pv_pu": pv_pu}] * 4, [("pcc",)] * 4)
    played = twin.replay(stored_of(start_snapshot(site, NOON)), horizon, moves)
    assert played.residual_kw.max() <= 1e-6
    lost = played.networks.losses_kw[E]
    for balance, loss in zip(played.balances, lost.tolist(), strict=True):
        assert balance.power_kw["pcc", E] == 0.0
        assert (balance.unserved_kw.get(("works", E), 0.0) > 0.0) == short
        assert sum(kw for (_, c), kw in balance.power_kw.items() if c is E) == pytest.approx(loss, abs=2e-6)
    assert lost.min() > 0.0


def test_every_carrier_closes_with_its_machines_and_its_losses(site: Site, twin: Twin) -> None:
    after = twin.step(start_snapshot(site, NOON), {"chp": 800.0, "pump": 300.0, "chiller": 200.0}, SERIES, 0.25)
    books = energy_balance(site, after)
    assert np.abs(books["gap_kw"]).max() < 1e-6
    assert books["loss_kw"].sel(carrier="electricity") == pytest.approx(float(after.networks["grid_20kv"]["loss_kw"]))
    machines = machine_powers(site, after)
    assert set(machines["asset"].values) >= {"chp", "chiller"}
    assert machines["gas_kw"].sel(asset="chp") == pytest.approx(-2000.0)
    assert machines["heat_kw"].sel(asset="chp") == pytest.approx(900.0)
