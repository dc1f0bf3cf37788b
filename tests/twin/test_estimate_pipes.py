"""Heat and gas estimates: right slopes, true states from clean rows, honest words where nothing checks a sensor."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import root

from models.errors import DataError
from models.networks.data import GasNetwork, Junction, Pipe, PipeNetwork
from models.networks.fluids import liquid
from models.networks.heat import solve_heat
from tests.networks.sample_networks import district
from twin.estimate.cleaning import estimate
from twin.estimate.gas import GasRows, Linepack
from twin.estimate.heat import HeatRows, PipeLaw
from twin.estimate.pipelaw import pipe_law
from twin.estimate.plugoffset import PlugOffset
from twin.estimate.problem import Origin, Sensor, SensorStatus

PIPES = tuple(
    Pipe(id=f"{a}_{b}", from_junction=a, to_junction=b, length_m=length, inner_diameter_mm=100.0)
    for a, b, length in [("p", "j", 300.0), ("j", "a", 150.0), ("j", "k", 250.0), ("k", "b", 80.0), ("k", "c", 200.0)]
)
JUNCTIONS = tuple(Junction(id=i) for i in "pjkabc")
NETWORK = PipeNetwork(
    id="heat", carrier="heat", junctions=JUNCTIONS, pipes=PIPES, plant_junction="p", consumers=("a", "b", "c")
)
LAW = PipeLaw(
    quadratic=np.array([0.05, 0.2, 0.1, 0.4, 0.5]),
    linear=np.full(5, 1e-3),
    conductance_kw_per_k=np.array([0.1, 0.04, 0.07, 0.02, 0.05]),
    design_kg_per_s=np.array([20.0, 8.0, 12.0, 5.0, 7.0]),
)
TRUE = np.array([6.0, 3.0, 4.5, 28.0, 31.0, 25.0, 84.0, 690.0, 310.0, 1.0])


def heat_sensors() -> list[Sensor]:
    rows = [
        Sensor(c, q, s) for c in "abc" for q, s in (("flow_kg_per_s", 0.06), ("supply_degc", 0.35), ("delta_k", 0.15))
    ]
    rows += [Sensor("p", "flow_kg_per_s", 0.07), Sensor("p", "supply_degc", 0.15), Sensor("p", "delta_k", 0.1)]
    rows += [
        Sensor("p", "supply_kpa", 2.5),
        Sensor("p", "return_kpa", 2.5),
        Sensor("b", "dp_kpa", 1.0),
        Sensor("c", "dp_kpa", 1.0),
    ]
    return [*rows, Sensor("heat", "loss_factor", 0.15, Origin.BELIEF)]


def heat() -> HeatRows:
    return HeatRows.of(NETWORK, heat_sensors(), LAW)


def gas(linepack: Linepack | None = None) -> GasRows:
    junctions = tuple(Junction(id=i) for i in ("s", "g", "x", "y"))
    pipes = tuple(
        Pipe(id=f"{a}{b}", from_junction=a, to_junction=b, length_m=200.0, inner_diameter_mm=80.0)
        for a, b in [("s", "g"), ("g", "x"), ("g", "y"), ("y", "x")]
    )
    network = GasNetwork(
        id="gas", junctions=junctions, pipes=pipes, source_junction="s", source_pressure_kpa=300.0, consumers=("x", "y")
    )
    sensors = [Sensor(c, "flow_kg_per_s", 0.001) for c in ("x", "y", "s")]
    sensors += [Sensor(c, "pressure_kpa", 0.5) for c in ("x", "y", "s")]
    return GasRows.of(network, sensors, np.array([4e4, 6e4, 5e4, 9e4]), linepack)


def value_of(rows, name, x):
    found = rows.quantities([name], x)
    return float(found.value[0]), found.slope[0]


def check_slopes(part, x, step=1e-6):
    slope = part(x).slope
    for state in range(len(x)):
        move = np.zeros(len(x))
        move[state] = step
        difference = (part(x + move).value - part(x - move).value) / (2 * step)
        assert slope[:, state] == pytest.approx(difference, rel=1e-5, abs=1e-5)


def test_heat_slopes_equal_finite_differences_also_at_low_flow():
    check_slopes(heat().measured, TRUE)
    check_slopes(heat().measured, np.array([6.0, 0.01, 4.5, *TRUE[3:]]))


def test_plant_power_is_flow_times_difference_and_covers_consumers_and_losses():
    rows = heat()
    power, slope = value_of(rows, "p.heat_kw", TRUE)
    taken = 4.186 * float(TRUE[:3] @ TRUE[3:6])
    assert taken < power < taken + 80.0
    move = np.zeros(10)
    move[1] = 1e-6
    assert slope[1] == pytest.approx((value_of(rows, "p.heat_kw", TRUE + move)[0] - power) / 1e-6, rel=1e-4)


def test_clean_heat_rows_give_back_the_true_state():
    rows = heat()
    result = estimate(rows, rows.measured(TRUE).value)
    assert result.fit.converged
    assert result.fit.x == pytest.approx(TRUE, rel=1e-6)


def test_a_wrong_supply_temperature_is_removed():
    rows = heat()
    z = rows.measured(TRUE).value
    row = next(i for i, s in enumerate(rows.sensors) if s.name == "b.supply_degc")
    z[row] -= 5.0
    result = estimate(rows, z)
    assert [s.sensor.name for s in result.sensors if s.status is SensorStatus.REMOVED] == ["b.supply_degc"]
    assert result.fit.x == pytest.approx(TRUE, rel=1e-3)


def test_customer_meters_behind_one_balance_are_said_to_be_hard_to_check():
    rows = heat()
    result = estimate(rows, rows.measured(TRUE).value)
    by_name = {s.sensor.name: s for s in result.sensors}
    assert by_name["a.delta_k"].redundancy < 0.5 < by_name["a.supply_degc"].redundancy
    assert by_name["a.delta_k"].detectable > 1.0


def test_a_torn_network_is_refused_in_words():
    with pytest.raises(DataError, match="no open pipe leads here"):
        HeatRows.of(replace(NETWORK, pipes=(*PIPES[:-1], replace(PIPES[-1], open=False))), heat_sensors(), LAW)


def meshed() -> HeatRows:
    """Two loops: from a to c beside the tree, and a second main to k."""
    chords = tuple(
        Pipe(id=f"{a}_{b}", from_junction=a, to_junction=b, length_m=400.0, inner_diameter_mm=80.0)
        for a, b in (("c", "a"), ("p", "k"))
    )
    more = {
        "quadratic": [0.3, 0.15],
        "linear": [1e-3] * 2,
        "conductance_kw_per_k": [0.1] * 2,
        "design_kg_per_s": [6.0] * 2,
    }
    law = PipeLaw(**{name: np.append(getattr(LAW, name), values) for name, values in more.items()})
    return HeatRows.of(replace(NETWORK, pipes=(*PIPES, *chords)), heat_sensors(), law)


@pytest.mark.parametrize("around", [(0.8, 4.0), (-1.5, 0.0), (0.001, -2.0)])
def test_slopes_in_loops_equal_finite_differences_whichever_way_the_water_runs(around):
    x = np.append(TRUE, around)
    check_slopes(meshed().measured, x)
    check_slopes(meshed().laws, x)


def test_loops_are_closed_and_clean_rows_give_back_the_true_state():
    rows = meshed()
    around = root(lambda c: rows.laws(np.append(TRUE, c)).value, [0.0, 0.0]).x
    truth = np.append(TRUE, around)
    found = estimate(rows, rows.measured(truth).value)
    assert found.fit.converged
    assert found.fit.law_residual < 1e-6
    assert found.fit.x == pytest.approx(truth, rel=1e-3, abs=1e-3)


def test_a_meshed_network_agrees_with_the_steady_solver():
    network = replace(district(meshed=True), ground_degc=8.0)
    rows = HeatRows.of(network, (), pipe_law(network), liquid(network).heat_j_per_kg_k / 1e3)
    demand = xr.DataArray([[300.0], [500.0], [200.0]], dims=("consumer", "time"), coords={"consumer": list("xyz")})
    flow = solve_heat(network, demand).isel(time=0)
    c = list(network.consumers)
    arrived, sent = flow["supply_degc"].sel(junction=c).to_numpy(), flow["return_degc"].sel(junction=c).to_numpy()
    chord = flow["flow_kg_per_s"].sel(pipe=list(rows.chords)).to_numpy()
    x = np.concatenate(
        [flow["consumer_flow_kg_per_s"].to_numpy(), arrived - network.return_degc, rows.start()[6:10], chord]
    )
    assert (sent <= network.return_degc + 1e-9).all()
    assert rows.quantities([f"{i}.supply_degc" for i in c], x).value == pytest.approx(arrived, abs=0.02)
    assert rows.quantities([f"{i}.dp_kpa" for i in c], x).value == pytest.approx(
        flow["dp_kpa"].sel(junction=c), rel=0.02
    )
    assert rows.laws(x).value == pytest.approx(0.0, abs=0.01)
    plant = rows.quantities(["plant.heat_kw"], x).value[0]
    assert plant == pytest.approx(float(flow["plant_kw"]), rel=2e-3)


def test_water_under_way_is_told_apart_in_loops_too():
    network = district(meshed=True)
    plug = PlugOffset(HeatRows.of(network, (), pipe_law(network), liquid(network).heat_j_per_kg_k / 1e3))
    taken = {"x": 300.0, "y": 500.0, "z": 200.0}
    for _ in range(90):
        quiet = plug.advance(taken, network.supply_degc, {}, 120.0)
    moved = plug.advance(taken, network.supply_degc + 8.0, {}, 60.0)
    assert max(abs(o.correction_k) for o in quiet.values()) < 0.3
    assert moved["z.supply_degc"].correction_k < -5.0


def test_gas_slopes_equal_finite_differences_with_loop_and_linepack():
    rows = gas(Linepack(np.full(4, 0.02), 20.0, 60.0))
    x = np.array([0.05, 0.03, 299.0, 0.01])
    check_slopes(rows.measured, x)
    check_slopes(rows.laws, x)


def test_clean_gas_rows_close_the_loop_and_give_back_the_offtakes():
    rows = gas()
    z = np.array([0.05, 0.03, 0.08, np.nan, np.nan, 299.0])
    first = estimate(rows, z)
    assert first.fit.converged
    assert first.fit.law_residual < 1e-6
    x = first.fit.x
    chord, loop = rows.paths.pipes[3], x[3]
    squares = {j: value_of(rows, f"{j}.pressure_kpa", x)[0] ** 2 for j in "xy"}
    sign = 1.0 if (chord.from_junction, chord.to_junction) == ("y", "x") else -1.0
    assert squares["y"] - squares["x"] == pytest.approx(sign * 9e4 * abs(loop) * loop, abs=1e-2)
    again = estimate(rows, rows.measured(first.fit.x).value)
    assert again.fit.x == pytest.approx(first.fit.x, rel=1e-5, abs=1e-6)


def test_gas_that_fills_the_pipes_is_not_taken_for_a_meter_fault():
    still = gas()
    x = estimate(still, np.array([0.05, 0.03, 0.08, np.nan, np.nan, 299.0])).fit.x
    pack = Linepack(np.full(4, 0.02), 0.0, 60.0)
    kept = value_of(gas(pack), "s.flow_kg_per_s", x)[0] * 60.0 - 0.08 * 60.0
    rising = gas(replace(pack, before_kg=kept - 0.6))
    shown = rising.measured(x).value
    assert shown[2] == pytest.approx(0.08 + 0.01)
    assert all(s.status is not SensorStatus.REMOVED for s in estimate(rising, shown).sensors)
    assert any(s.status is SensorStatus.REMOVED for s in estimate(still, shown).sensors)
