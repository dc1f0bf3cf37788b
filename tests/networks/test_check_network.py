from dataclasses import replace

import pytest
from sample_networks import cable, district, gas_town, ring, tube

from models.findings import Severity
from models.networks.check import check_network
from models.networks.data import Bus, Junction, PressureSource, Switch, Transformer, VoltageControl


def says(network, *words: str) -> bool:
    return any(all(word in str(f) for word in words) for f in check_network(network))


@pytest.mark.parametrize("network", [ring(), district(), district(meshed=True), gas_town(), gas_town(station=True)])
def test_sound_networks_have_no_findings(network):
    assert check_network(network) == ()


def test_every_wrong_reference_is_named_at_once():
    network = ring(lines=(cable("l", "a", "nowhere"), cable("l", "a", "b")), slack_bus="gone")
    found = check_network(network)
    assert {f.place for f in found} == {"ring.l", "ring.slack_bus"}
    assert len(found) == 3


def test_islands_are_warnings_that_name_their_parts():
    (finding,) = check_network(ring(buses=(*ring().buses, Bus(id="lonely", vn_kv=10.0))))
    assert finding.severity is Severity.WARNING
    assert finding.ids == ("lonely",)
    assert says(district(junctions=(*district().junctions, Junction(id="far"))), "far", "plant")
    assert says(gas_town(junctions=(*gas_town().junctions, Junction(id="far"))), "far", "source")


def test_electric_contradictions():
    held = (VoltageControl(id="g", bus="grid", vm_pu=0.9),)
    assert says(ring(voltage_controls=held), "ring.g", "0.9 pu", "1.02 pu")
    assert says(ring(lines=(*ring().lines, cable("up", "grid", "a"))), "110 kV", "10 kV", "transformer")
    assert says(ring(lines=(cable("z", "a", "b", r_ohm_per_km=0.0, x_ohm_per_km=0.0),)), "ring.z", "no impedance")
    assert says(ring(Switch(id="s", bus="a", element="cd", kind="line")), "ring.s", "does not end")
    assert says(ring(Switch(id="s", bus="a", element="grid", kind="bus")), "ring.s", "one voltage")
    t: Transformer = replace(ring().transformers[0], vkr_percent=20.0)
    assert says(ring(transformers=(t,)), "swapped")
    assert says(ring(buses=(replace(ring().buses[0], vm_min_pu=1.2), *ring().buses[1:])), "ring.grid", "1.2")


def test_pipes_that_cannot_be():
    pipes = (*district().pipes, tube("thin", "k", "x", 10, 0.0))
    assert says(district(pipes=pipes), "district.thin", "diameter of 0 mm")
    assert says(district(pipes=(*district().pipes, tube("r", "k", "x", 10, 40, roughness_mm=30))), "check the units")
    assert says(gas_town(pipes=(*gas_town().pipes, tube("back", "a", "a", 10))), "begins and ends at a")


def test_water_that_would_freeze_or_runs_the_wrong_way():
    cold = district(carrier="cold", supply_degc=-3.0, return_degc=6.0)
    assert says(cold, "supply_degc", "freezing", "glycol")
    assert not says(replace(cold, glycol_share=0.3), "freezing")
    assert says(district(supply_degc=40.0), "above the return")
    assert says(district(carrier="cold", supply_degc=12.0, return_degc=6.0), "below the return")


def test_pressures_that_contradict_each_other():
    assert says(district(dp_min_kpa=500.0), "dp_min_kpa", "400 kPa")
    high = (*district().junctions[:-1], Junction(id="z", height_m=80.0))
    assert says(district(junctions=high), "district.z", "80 m above")
    assert says(gas_town(source_pressure_kpa=150.0), "150 kPa")
    joined = gas_town(
        pipes=(*gas_town().pipes, tube("zero", "gate", "a", 0.0)),
        further_sources=(PressureSource(junction="a", pressure_kpa=280.0),),
    )
    assert says(joined, "town.a", "280 kPa", "300 kPa")
