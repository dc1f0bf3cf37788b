import numpy as np
import pytest

from customers.packages.deliverability import Fed, check_delivery
from models.carriers import Carrier
from models.components import Consumer, Pv
from models.errors import DataError
from models.site.file import load_site
from models.site.profiles import load_profiles
from service.places import PARK


@pytest.fixture(scope="module")
def park():
    return load_site(PARK)


def test_inverters_hold_a_voltage_that_photovoltaics_would_raise(park):
    pu = load_profiles(park)[park.of_kind(Pv)[0].profile].to_numpy()
    roofs = {
        c.demands[0].node: 450.0 * pu for c in park.of_kind(Consumer) if c.demands[0].carrier is Carrier.ELECTRICITY
    }
    bare, held = check_delivery(park, Fed(roofs, {})), check_delivery(park, Fed(roofs, roofs))
    assert bare.held == 0
    assert bare.before == held.before
    assert 0 < held.held <= bare.after.beyond
    assert held.after.beyond < bare.after.beyond
    assert held.after.highest_vm_pu < bare.after.highest_vm_pu
    assert held.after.loss_kwh > bare.after.loss_kwh, "reactive power is not carried for nothing"


def test_what_feeds_nothing_changes_nothing_and_a_wrong_bus_is_told(park):
    bus = park.networks.electricity[0].buses[3].id
    same = check_delivery(park, Fed({bus: np.zeros(8760)}, {bus: np.zeros(8760)}))
    assert same.deliverable
    assert same.held == 0
    assert same.after == same.before
    with pytest.raises(DataError) as fault:
        check_delivery(park, Fed({"nowhere": np.zeros(8760), bus: np.zeros(12)}, {}))
    assert {f.place for f in fault.value.findings} == {"nowhere", bus}


def test_a_short_run_is_laid_over_the_year():
    fed = Fed({"b": np.arange(3.0)}, {"b": np.ones(3)}).repeated(7)
    assert fed.power_kw["b"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert len(fed.pv_kw["b"]) == 7
