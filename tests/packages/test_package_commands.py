import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from customers.costs.library import load_costs
from customers.intervals.keeping import write_store
from customers.intervals.series import MeterTable
from customers.intervals.store import IntervalStore
from customers.population import FIRST_YEAR, population
from models.errors import DataError
from service.cli import app
from service.commands.package_inputs import read_others, read_tariff_file
from tests.packages.package_cases import DAYS, START, load_wh

RUN = CliRunner()
TARIFF = """\
bands:
- {name: flat, price_per_kwh: 0.65, windows: [{start_h: 0, end_h: 24}]}
- {name: valley, price_per_kwh: 0.35, windows: [{start_h: 23, end_h: 7}]}
- {name: peak, price_per_kwh: 0.95, windows: [{start_h: 17, end_h: 22}]}
export_price_per_kwh: 0.3
demand_price_per_kw_month: 36
"""


@pytest.fixture
def files(tmp_path):
    times = pd.date_range(START, periods=DAYS * 24, freq="h")
    rows = pd.DataFrame({"time": times.strftime("%Y-%m-%dT%H:%MZ"), "works_kwh": load_wh() / 1e3})
    rows.to_csv(tmp_path / "meters.csv", index=False)
    (tmp_path / "tariff.yaml").write_text(TARIFF)
    years = pd.date_range("2020-01-01", "2022-01-01", freq="h", inclusive="left", tz="UTC")
    pu = np.maximum(np.sin((years.hour.to_numpy() + 2) / 12 * np.pi), 0) * (0.7 + 0.05 * (years.year == 2021))
    pd.DataFrame({"start_utc": years.strftime("%Y-%m-%dT%H:%MZ"), "pv_pu": pu}).to_csv(
        tmp_path / "sun.csv", index=False
    )
    return tmp_path


def test_from_a_file_of_readings_to_a_proposal(files):
    asked = [
        "package",
        "design",
        str(files / "meters.csv"),
        "--tariff",
        str(files / "tariff.yaml"),
        "--sun",
        str(files / "sun.csv"),
    ]
    out = files / "proposal.pdf"
    done = RUN.invoke(app, [*asked, "--roof-m2", "900", "--name", "Iron Works", "--language", "zh", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes().startswith(b"%PDF")
    assert "Iron Works" in done.output
    assert "屋顶光伏" in done.output


def test_other_customers_readings_teach_how_years_differ(files):
    people = population(24, seed=5)
    halves = [people.meters(FIRST_YEAR + k, 60) for k in range(2)]
    energy = np.hstack([h.energy_kwh for h in halves])
    table = MeterTable.of(people.names, halves[0].intervals.start, 60, energy, people.zone)
    tariff, library = read_tariff_file(files / "tariff.yaml", people.zone), load_costs()
    write_store(IntervalStore(table), files / "others.npz")
    terms = read_others(files / "others.npz", tariff, library)
    assert (terms.customers, terms.pairs) == (24, 1)
    assert 0.02 < terms.own_sd < 0.1
    assert 0.5 < terms.swing < 4
    write_store(IntervalStore(halves[0]), files / "short.npz")
    with pytest.raises(DataError, match="less than two years"):
        read_others(files / "short.npz", tariff, library)


def test_what_cannot_be_designed_is_told_with_its_place(files):
    asked = ["package", "design", str(files / "meters.csv"), "--tariff", str(files / "tariff.yaml")]
    done = RUN.invoke(app, [*asked, "--fact", "roof=4", "--fact", "vehicles=many", "--fact", "green_share=60"])
    assert done.exit_code != 0
    told = re.sub(r"\s+", " ", done.output + str(done.exception))
    assert "--fact roof: is no known fact" in told
    assert "--fact vehicles: is no number" in told
    assert "--fact green_share: is 60; write a number of 0 to 1" in told
    short = files / "short.csv"
    short.write_text("\n".join((files / "meters.csv").read_text().splitlines()[:400]))
    asked[2] = str(short)
    done = RUN.invoke(app, asked)
    assert "a design needs 28 at least" in re.sub(r"\s+", " ", done.output + str(done.exception))


def test_the_catalogue_and_the_costs_are_shown_with_their_sources():
    assert "ev_charging" in RUN.invoke(app, ["package", "catalogue"]).output
    shown = RUN.invoke(app, ["package", "costs", "--sources"]).output
    assert "InfoLink" in shown
    assert "bring your own" in shown


def test_an_archive_of_one_year_shows_nothing_between_years(files):
    one = files / "one.csv"
    one.write_text("\n".join((files / "sun.csv").read_text().splitlines()[:8700]))
    asked = ["package", "design", str(files / "meters.csv"), "--tariff", str(files / "tariff.yaml"), "--sun", str(one)]
    done = RUN.invoke(app, asked)
    assert "between-year terms need two or more" in re.sub(r"\s+", " ", done.output + str(done.exception))
