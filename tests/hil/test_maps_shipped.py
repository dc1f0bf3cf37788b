import pytest

from hil.codec import encode
from hil.maps import load_map, shipped_maps
from hil.maps.load import read_map
from hil.maps.types import DataType
from models.findings import errors_in


@pytest.mark.parametrize("name", shipped_maps())
def test_every_shipped_map_is_clean_and_states_its_source(name):
    found, findings = read_map(name)
    assert not errors_in(findings), findings
    assert found is not None
    assert len(found.source) > 30
    assert found.heartbeat is not None or sum(p.noisy for p in found.points) >= 4


@pytest.mark.parametrize("name", shipped_maps())
def test_every_shipped_point_can_be_encoded_once_it_knows_its_rating(name):
    for point in load_map(name).for_rating(500.0).points:
        if point.type is not DataType.STRING:
            assert len(encode(point, 0.0)) == point.registers


def test_a_pv_limit_of_half_the_rated_power_is_5000_hundredths_of_a_percent():
    limit = load_map("sunspec_pv_inverter").for_rating(6000.0).point("setpoint_kw")
    assert encode(limit, 3000.0) == (5000,)


def test_charging_is_negative_inside_and_positive_on_the_station():
    limit = load_map("ev_charging_station").point("setpoint_kw")
    assert encode(limit, -120.0) == (1200,)
