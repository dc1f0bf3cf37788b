import dataclasses
from datetime import date

import pytest

from customers.catalogue.modules import load_catalogue
from customers.catalogue.offers import load_offers, valid
from customers.costs.library import CostItem, Source, check_costs, load_costs, unsourced
from models.errors import DataError


def test_every_figure_that_a_module_is_counted_with_is_in_the_library_and_has_a_source():
    library = load_costs()
    catalogue = load_catalogue(known_costs=library.items)
    asked = {c for m in catalogue.modules.values() for c in m.costs}
    assert asked <= set(library.items)
    assert all(i.sources for i in library.items.values())
    assert {"pv_capex", "battery_capex", "heat_pump_capex", "certificate_price"} <= {
        i.id for i in library.items.values() if i.sourced
    }
    assert len(unsourced(library)) < len(library.items) / 2


def test_the_four_base_packages_are_told_apart_by_their_modules():
    catalogue = load_catalogue()
    assert catalogue.package_of({"supply", "pv", "storage", "maintenance"}) == "integrated"
    assert catalogue.package_of({"supply", "pv", "maintenance"}) == "single"
    assert catalogue.package_of({"supply"}) == "single"
    assert catalogue.package_of({"supply", "backup", "pv"}) == "emergency"
    assert catalogue.package_of({"supply", "charging", "pv"}) == "ev_charging"
    assert catalogue.package_of({"supply", "charging", "pv", "efficiency"}) == "integrated"
    assert catalogue.composed({"pv"}) == {"supply", "pv", "maintenance"}


def test_a_file_of_ones_own_replaces_single_figures(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "format: jouletwin-costs/1\nversion: mine\ncurrency: CNY\nitems:\n"
        "- {id: pv_capex, unit: CNY/kW, low: 2900, central: 3000, high: 3300, sources: [{basis: press, text: three quotes}]}\n"
    )
    library = load_costs(mine)
    assert library["pv_capex"] == 3000
    assert library["pv_om"] == load_costs()["pv_om"]
    assert library.with_level("pv_capex", "high")["pv_capex"] == 3300


def test_every_problem_of_a_cost_file_is_named_at_once(tmp_path):
    odd = CostItem("pv_capex", "CNY/kW", 5.0, 4.0, 6.0, ())
    told = [str(f) for f in check_costs((odd, odd))]
    assert len(told) == 5
    assert any("5 <= 4 <= 6 does not hold" in t for t in told)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "format: jouletwin-costs/1\nversion: x\ncurrency: EUR\nitems:\n"
        "- {id: nothing, unit: CNY, low: 1, central: 1, high: 1, sources: [{basis: assumed, text: x}]}\n"
        "- {id: pv_capex, unit: USD/kW, low: 1, central: 1, high: 1, sources: [{basis: assumed, text: x}]}\n"
    )
    with pytest.raises(DataError) as fault:
        load_costs(wrong)
    assert {f.place for f in fault.value.findings} == {"currency", "items.nothing", "items.pv_capex.unit"}
    assert dataclasses.replace(odd, sources=(Source("assumed", "x"),)).sourced is False


OFFERS = "provider,module,price_factor,capacity,valid_until,guarantee_share,rating\n"


def test_offers_are_read_whole_or_not_at_all(tmp_path):
    catalogue, path = load_catalogue(), tmp_path / "offers.csv"
    path.write_text(OFFERS + "Sun Ltd,pv,0.9,500,2027-12-31,0.5,0.8\nOther,pv,0.8,500,2020-01-01,0,1\n")
    offers = load_offers(path, catalogue)
    assert [(o.provider, o.price_factor) for o in valid(offers, date(2026, 1, 1))] == [("Sun Ltd", 0.9)]
    path.write_text(OFFERS + "Sun Ltd,pv,cheap,500,2027-12-31,0.5,0.8\n,roof,0.9,-1,soon,2,0.8\n")
    with pytest.raises(DataError) as fault:
        load_offers(path, catalogue)
    told = [str(f) for f in fault.value.findings]
    assert len(told) == 6
    assert any("row 2" in t and "'cheap'" in t for t in told)
    assert any("row 3" in t and "'roof'" in t for t in told)
