"""The park's four carriers in one estimate: it converges, keeps quiet on clean data, and finds what can be found."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.carriers import Carrier
from models.horizon import Horizon
from models.networks.electricity.flow import solve_electricity
from models.site import load_profiles, load_site
from models.station import Station, resolve
from scenarios.sites import park_path
from twin.estimate.cleaning import GUARD, estimate
from twin.estimate.meters import SiteMeasurements
from twin.estimate.problem import SensorStatus
from twin.estimate.site import SiteEstimator, site_rows
from twin.estimate.wiring import Wiring

LOSSES = {Carrier.ELECTRICITY: 30.0, Carrier.HEAT: 80.0, Carrier.COLD: 10.0}


@pytest.fixture(scope="module")
def site():
    return load_site(park_path())


def clean(site, hour: int, control: dict[str, float]) -> SiteMeasurements:
    """Return roughly what meters would show in one hour of the park's year, before any estimate makes them consistent."""
    series = {str(k): float(v) for k, v in load_profiles(site).iloc[hour].items()}
    station = Station.of(site)
    stored = {"hot_tank": 5000.0, "cold_tank": 2000.0, "battery": 1500.0}
    balance = resolve(station, station.conditions(series), control, stored, 0.25, LOSSES)
    air = next(v for k, v in series.items() if k.endswith("_degc"))
    network = {f"{bus}.vm_pu": 1.0 for bus in ("bus_4", "bus_5", "bus_8", "bus_11", "bus_12", "bus_14")}
    for pipes in (*site.networks.heat, *site.networks.cold):
        network |= {f"{c}.supply_degc": pipes.supply_degc for c in pipes.consumers}
        network |= {f"{c}.delta_k": pipes.supply_degc - pipes.return_degc for c in pipes.consumers}
        network |= {f"{pipes.plant_junction}.supply_degc": pipes.supply_degc}
        network |= {f"{pipes.plant_junction}.delta_k": pipes.supply_degc - pipes.return_degc}
        network |= {f"{pipes.plant_junction}.flow_kg_per_s": 1.0}
    return SiteMeasurements(dict(balance.power_kw), network, air)


def consistent(site, hour: int, control: dict[str, float]):
    """Return the park's rows and noise-free values that obey all its laws exactly."""
    rough = clean(site, hour, control)
    weak = {n: v for n, v in rough.network.items() if n.endswith(("supply_degc", "delta_k")) and "plant" not in n}
    first = SiteEstimator(site).estimate(SiteMeasurements(rough.powers_kw, weak, rough.air_degc))
    assert first.estimate.fit.converged
    rows, _ = site_rows(Wiring.of(site), rough)
    x = np.array([first.values[name] for name in rows.state_names])
    return rows, x, rows.measured(x).value


WINTER = {"chp1": 600.0, "boiler1": 2000.0, "ashp": 1000.0, "chiller1": 300.0, "battery": 200.0}
SUMMER = {"chp1": 600.0, "chp2": 400.0, "chiller1": 1500.0, "chiller2": 1200.0, "ashp": 500.0, "battery": -200.0}


@pytest.mark.parametrize(("hour", "control"), [(450, WINTER), (4700, SUMMER)])
def test_clean_values_give_back_their_state_and_every_law_holds(site, hour, control):
    rows, _, z = consistent(site, hour, control)
    found = estimate(rows, z)
    assert found.fit.converged
    assert found.fit.law_residual < 1e-5
    assert found.unobservable == ()
    assert np.max(np.abs(rows.measured(found.fit.x).value - z) / [s.sigma for s in rows.sensors]) < 1e-3


def test_random_hours_of_the_year_converge_and_clean_noise_raises_few_alarms(site):
    rng = np.random.default_rng(11)
    chi2_alarms = removals = 0
    hours = rng.integers(0, 8760, 25)
    for hour in hours:
        rows, _, z = consistent(site, int(hour), WINTER)
        noise = rng.normal(size=len(z)) * [0.0 if s.pseudo else s.sigma for s in rows.sensors]
        found = estimate(rows, z + noise)
        assert found.fit.converged, hour
        chi2_alarms += not found.plausible
        removals += any(s.status is SensorStatus.REMOVED for s in found.sensors)
    assert chi2_alarms <= 1
    assert removals <= 1


def test_ten_sigma_errors_are_noticed_where_other_sensors_check_them(site):
    rng = np.random.default_rng(5)
    rows, _, z = consistent(site, 450, WINTER)
    sigma = np.array([s.sigma for s in rows.sensors])
    redundancy = np.array([s.redundancy for s in estimate(rows, z).sensors])
    checked = [i for i, s in enumerate(rows.sensors) if redundancy[i] >= 0.5 and not s.pseudo]
    assert len(checked) >= 15
    noticed = named = 0
    for row in checked:
        bad = z + rng.normal(size=len(z)) * np.where([s.pseudo for s in rows.sensors], 0.0, sigma)
        bad[row] += 10 * sigma[row] * rng.choice([-1, 1])
        found = estimate(rows, bad)
        out = {s.sensor.name for s in found.sensors if s.status in (SensorStatus.REMOVED, SensorStatus.FLAGGED)}
        name = rows.sensors[row].name
        noticed += bool(out) or not found.plausible
        named += bool(out & {name, *found.sensors[row].tie_group})
    assert noticed / len(checked) >= 0.95
    assert named / len(checked) >= 0.8


def test_weakly_checked_sensors_are_never_removed(site):
    rows, _, z = consistent(site, 450, WINTER)
    sigma = np.array([s.sigma for s in rows.sensors])
    weak = [i for i, s in enumerate(estimate(rows, z).sensors) if s.redundancy < GUARD][:8]
    assert weak
    for row in weak:
        bad = z.copy()
        bad[row] += 30 * sigma[row]
        assert estimate(rows, bad).sensors[row].status is not SensorStatus.REMOVED


def test_an_engine_meter_is_checked_by_its_fuel_and_heat(site):
    rows, _, z = consistent(site, 450, WINTER)
    row = next(i for i, s in enumerate(rows.sensors) if s.name == "chp1.heat_kw")
    bad = z.copy()
    bad[row] *= 1.6
    found = estimate(rows, bad)
    assert found.sensors[row].status is SensorStatus.REMOVED
    assert found.sensors[row].modelled == pytest.approx(z[row], rel=0.05)


def test_estimated_grid_losses_agree_with_a_power_flow(site):
    rows, x, _ = consistent(site, 450, WINTER)
    network = site.networks.electricity[0]
    names = [f"{b.id}.power_kw" for b in network.buses]
    part = rows.parts[network.id]
    local = x[rows.slices[network.id]]
    power = part.quantities(names, local).value
    reactive = part.quantities([f"{b.id}.reactive_kvar" for b in network.buses], local).value
    start = datetime(2015, 1, 19, tzinfo=UTC)
    time = Horizon.uniform(start, start + timedelta(minutes=15)).times
    import xarray as xr

    grid = {"bus": [b.id for b in network.buses], "time": time}
    held = [0.0 if b.id == network.slack_bus else 1.0 for b in network.buses]
    flow = solve_electricity(
        network,
        xr.DataArray((power * held)[:, None], dims=("bus", "time"), coords=grid),
        xr.DataArray((reactive * held)[:, None], dims=("bus", "time"), coords=grid),
    )
    vm = part.quantities([f"{b.id}.vm_pu" for b in network.buses], local).value
    slack = [b.id for b in network.buses].index(network.slack_bus)
    if abs(vm[slack] - network.slack_vm_pu) < 1e-6:
        assert flow.vm_pu.sel(bus=[b.id for b in network.buses]).values[:, 0] == pytest.approx(vm, abs=1e-6)
    assert float(flow.loss_kw.values[0]) == pytest.approx(power.sum(), rel=0.05)
