"""Options files: every problem at once; studies: from a file to sizes that the twin has replayed; futures of a day."""

from copy import deepcopy
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import yaml

from models.errors import DataError, SetupError
from models.finance import present_value
from models.site.file import load_site
from optimizers.dispatch import Dispatcher
from scenarios.futures import Futures
from scenarios.sites import park_path
from scenarios.sizing.options import load_options, options_schema, read_options
from scenarios.sizing.study import built_site, study
from scenarios.sizing.worst import worst_starts
from scenarios.sizing.year import year_problem
from tests.sites import write_tiny

OPTIONS = {
    "format": "jouletwin-options/1",
    "title": "test",
    "currency": "CNY",
    "years": 10,
    "typical_periods": 2,
    "options": [
        {
            "id": "roof",
            "asset": {"kind": "pv", "id": "pv_new", "electricity_node": "bus", "peak_kw": 10, "profile": "sun_pu"},
            "power": {"most_kw": 500, "cost_per_kw": 10, "om_per_kw_year": 1},
            "lifetime_years": 25,
            "sources": {"cost_per_kw": "example", "om_per_kw_year": "guess"},
        },
        {
            "id": "more_battery",
            "expands": "battery",
            "energy": {"most_kwh": 400, "cost_per_kwh": 1e6},
            "lifetime_years": 10,
            "sources": {"cost_per_kwh": "guess"},
        },
        {
            "id": "engine",
            "asset": {
                "kind": "chp",
                "id": "chp_new",
                "electricity_node": "bus",
                "heat_node": "warm",
                "gas_node": "gate",
                "part_load": {"power_kw": [50, 100], "fuel_kw": [150, 260], "heat_kw": [60, 110]},
            },
            "units": {"most": 2, "cost_per_unit": 1e9},
            "lifetime_years": 20,
            "sources": {"cost_per_unit": "guess"},
        },
    ],
}


def written(folder, change=lambda d: None):
    made = deepcopy(OPTIONS)
    change(made)
    path = folder / "options.yaml"
    path.write_text(yaml.safe_dump(made, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def dispatcher(tmp_path_factory):
    made = Dispatcher(cache_folder=tmp_path_factory.mktemp("stencils"))
    yield made
    made.close()


@pytest.fixture
def site(tmp_path):
    return load_site(write_tiny(tmp_path))


def test_a_study_goes_from_a_file_to_sizes_that_hold(site, tmp_path, dispatcher):
    options = load_options(written(tmp_path), site)
    steps = []
    done = study(options, dispatcher, weeks=0, slack_share=0.05, progress=steps.append)
    assert steps[0] == "typical periods and the program"
    sizes = done.plan.sizes
    assert sizes["pv_new, kW"] > 100
    assert sizes["battery, kWh"] == 200  # what there is
    assert sizes["chp_new, units"] == 0
    assert done.worth.npv == pytest.approx(done.base.present_cost - done.plan.present_cost)
    assert done.worth.npv == pytest.approx(present_value(0.06, done.worth.returns))
    assert len(done.worth.rates) == 1
    assert done.worth.payback_years < 10
    # two days of profiles, two typical periods: nothing is aggregated, so the whole year says the same
    assert abs(done.year.error_share) < 1e-6
    least, most = done.near[:2]
    assert least.size <= sizes["pv_new, kW"] + 1e-6
    assert most.size >= sizes["pv_new, kW"] - 1e-6
    assert max(a.sizing.present_cost for a in done.near) <= 1.05 * done.plan.present_cost + 1e-6
    built = built_site(options, done.plan)
    assert {a.id for a in built.assets} - {a.id for a in site.assets} == {"pv_new"}
    assert built.asset("pv_new").peak_kw == pytest.approx(sizes["pv_new, kW"])


def test_everything_wrong_with_an_options_file_is_told_at_once(site, tmp_path):
    def spoil(made):
        made["currency"], made["stages"], made["price_growth"] = "EUR", [1, 0], {"elektro": 0.1}
        made["options"][0]["sources"] = {}
        made["options"][1]["expands"] = "nothing"
        made["options"][2]["power"] = {"most_kw": 5, "least_kw": 9, "cost_per_kw": 1}

    options, findings = read_options(written(tmp_path, spoil), site)
    assert options is None
    words = "\n".join(map(str, findings))
    for expected in (
        "currency: is EUR, the site's tariffs are in CNY",
        "stages: are [1, 0]",
        "price_growth.elektro: no part of the cost has this name",
        "options[roof].sources.cost_per_kw: this cost has no source",
        "options[more_battery].expands: the site has no asset nothing",
        "options[engine].power: a chp is not sold by the kW",
        "options[engine].units: stands beside another size",
    ):
        assert expected in words


def test_slips_of_the_pen_have_their_place_and_line(site, tmp_path):
    def spoil(made):
        made["options"][0]["lifetime_yers"] = made["options"][0].pop("lifetime_years")

    _, findings = read_options(written(tmp_path, spoil), site)
    words = "\n".join(map(str, findings))
    assert "options[roof].lifetime_yers: unknown field; did you mean lifetime_years? (line" in words
    path = tmp_path / "none.yaml"
    with pytest.raises(DataError, match="cannot be read"):
        load_options(path, site)


def test_a_node_that_is_not_there_is_found_beside_other_problems(site, tmp_path):
    def spoil(made):
        made["currency"] = "EUR"
        made["options"][0]["asset"]["electricity_node"] = "bus_99"

    _, findings = read_options(written(tmp_path, spoil), site)
    words = "\n".join(map(str, findings))
    assert "there is no node bus_99" in words
    assert "currency" in words


def test_the_park_has_options_that_fit_it():
    park = load_site(park_path())
    options = load_options(park_path().parent / "options.yaml", park)
    assert {s.unit for s in options.sizes} == {"kW", "kWh", "units"}
    assert "options" in options_schema()["properties"]
    year = year_problem(park)
    assert len(year.horizon) == 8760
    starts = worst_starts(park, year)
    assert 2 <= len(starts) <= 4
    assert all(s % 168 == 0 and s + 168 <= 8760 for s in starts)


def test_a_site_without_profiles_cannot_be_sized(site):
    with pytest.raises(SetupError, match="has no profiles"):
        year_problem(replace(site, profiles=None))


def test_futures_of_a_day_are_around_its_forecast():
    futures = Futures(load_site(park_path()), date(2015, 7, 15), count=2, seed=1)
    found = futures.scenarios()
    assert [s.name for s in found] == ["as 2015-07-08", "as 2015-07-01"]
    values = np.array([s.problem.forecast.values.values for s in found])
    assert np.isfinite(values).all()
    spread = np.abs(values[0] - values[1]).max(axis=1)
    assert (spread > 0).sum() > 10
    quantiles = futures.quantiles()
    assert (quantiles.diff("quantile") >= -1e-9).all()
    assert set(futures.bad_ends()) == set(futures.signs())
