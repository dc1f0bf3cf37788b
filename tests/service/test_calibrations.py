"""Calibration at the command line: an emulated plant's own parameters come back within what is stated, and stay beside the site."""

import json
from datetime import date
from itertools import islice

import numpy as np
import pytest
from typer.testing import CliRunner

from hil.emulators.deviations import deviated
from models.errors import SetupError
from models.site import load_site
from scenarios.metered import emulated_days
from scenarios.sites import park_path
from service.calibrations import append_revisions, beside, in_force, load_revised, read_revisions
from twin.calibrated import calibrated
from twin.learn import learn, observe

SEED = 3


@pytest.fixture(scope="module")
def park():
    return load_site(park_path())


@pytest.fixture(scope="module")
def learning(park):
    """What every second hour of a winter day teaches."""
    day = list(islice(emulated_days(park, date(2015, 1, 14), 1, SEED), 96))
    return learn(park, observe(park, iter(day[::3])))


def of_kind(learning, kind):
    return {p.name: p for c in learning.calibrations if c.kind == kind for p in c.learned}


def test_units_efficiencies_come_back_within_their_uncertainty(park, learning):
    shares = {(d.place.removeprefix("assets."), d.parameter): d.share for d in deviated(park, SEED)[1]}
    truth = {
        "boiler1.gas_over_heat_kw": 1 / (1 + shares["boiler1", "efficiency"]),
        "ashp.electricity_over_heat_kw": 1 / (1 + shares["ashp", "cop_rated"]),
        "chp1.gas_over_electricity_kw": 1 + shares["chp1.part_load", "fuel_kw"],
        "chp1.heat_over_electricity_kw": 1 + shares["chp1.part_load", "heat_kw"],
        "chp2.gas_over_electricity_kw": 1 + shares["chp2.part_load", "fuel_kw"],
        "chiller1.electricity_over_cold_kw": 1 / (1 + shares["chiller1", "cop_rated"]),
    }
    found = of_kind(learning, "conversion")
    scores = {n: (found[n].factor - t) / found[n].sd for n, t in truth.items() if n in found}
    assert len(scores) >= 4
    assert max(map(abs, scores.values())) < 3.0
    assert np.mean([abs(s) < 2.0 for s in scores.values()]) >= 0.75


def test_the_pipes_heat_loss_comes_back_within_its_uncertainty(park, learning):
    share = next(d.share for d in deviated(park, SEED)[1] if d.parameter == "heat_loss_w_per_m_k" and "heat" in d.place)
    found = of_kind(learning, "heat_loss")["loss_factor"]
    assert abs(found.factor - 1 - share) < 3 * found.sd
    assert found.informed_share > 0.4


def test_honest_meters_are_no_advisory_and_what_cannot_be_learned_is_said(learning):
    gains = of_kind(learning, "meter_gains")
    assert len(gains) > 40
    assert np.mean([p.suspicious for p in gains.values()]) < 0.05
    assert {f.place.split()[0] for f in learning.missing} == {"friction", "pipe", "heat"}
    assert all(f.message for f in learning.missing)


def test_a_calibrated_site_is_nearer_to_the_plant(park, learning):
    plant = deviated(park, SEED)[0]
    nearer = calibrated(park, learning.calibrations)

    def off(site):
        return [abs(site.asset("boiler1").efficiency / plant.asset("boiler1").efficiency - 1)] + [
            abs(a.heat_loss_w_per_m_k / b.heat_loss_w_per_m_k - 1)
            for a, b in zip(site.networks.heat[0].pipes, plant.networks.heat[0].pipes, strict=True)
        ]

    assert np.mean(off(nearer)) < 0.7 * np.mean(off(park))


def test_revisions_are_kept_beside_the_site_and_the_newest_is_in_force(park, learning, tmp_path):
    path = tmp_path / "site.calibration.json"
    first, second = learning.calibrations[0], learning.calibrations[-1]
    for made in ([first], [second], [second]):
        append_revisions(path, made, second.end)
    kept = read_revisions(path)
    assert kept == (first, second)
    assert len(in_force((*kept, first))) == 2
    assert json.loads(path.read_text())["revisions"][0]["revision"] == first.revision
    revised = load_revised(park_path(), path)
    assert revised.revision
    assert revised.site != park
    assert beside(park_path()).name == "site.calibration.json"
    path.write_text("[]")
    with pytest.raises(SetupError, match="no file of calibrations"):
        read_revisions(path)


def test_a_table_of_readings_is_calibrated_from_and_bad_ones_are_refused(tmp_path):
    from service.cli import app

    table = tmp_path / "readings.csv"
    table.write_text("time,device,quantity,value\nyesterday,boiler1_device,heat_kw,1\n")
    refused = CliRunner().invoke(app, ["calibrate", "--readings", str(table), "-o", str(tmp_path / "c.json")])
    assert "yesterday is no time" in refused.output
