"""Recommendations and matchings from the command line: what a user brings, what is told, what is refused."""

import csv
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from service.cli import app
from service.places import PARK
from tests.packages.package_cases import START, load_wh

RUN = CliRunner()
TARIFF = """\
bands:
- {name: flat, price_per_kwh: 0.65, windows: [{start_h: 0, end_h: 24}]}
- {name: valley, price_per_kwh: 0.35, windows: [{start_h: 23, end_h: 7}]}
- {name: peak, price_per_kwh: 0.95, windows: [{start_h: 17, end_h: 22}]}
export_price_per_kwh: 0.3
demand_price_per_kw_month: 36
"""


def told(done):
    return re.sub(r"\s+", " ", done.output + str(done.exception or ""))


@pytest.fixture
def files(tmp_path):
    wh = np.array([load_wh(days=59, seed=k) * (k + 1) for k in range(6)])
    times = pd.date_range(START, periods=wh.shape[1], freq="h").strftime("%Y-%m-%dT%H:%MZ")
    columns = {f"c{k} [kWh]": row / 1e3 for k, row in enumerate(wh)}
    pd.DataFrame({"time": times} | columns).to_csv(tmp_path / "meters.csv", index=False)
    (tmp_path / "tariff.yaml").write_text(TARIFF)
    rows = [f"c{k},{0 if k == 5 else 800},{('hotel', 'works')[k % 2]}" for k in range(6)]
    (tmp_path / "facts.csv").write_text("customer,roof_m2,sector\n" + "\n".join(rows))
    return tmp_path


def recommended(files, *more):
    asked = ("--tariff", str(files / "tariff.yaml"), "--facts", str(files / "facts.csv"))
    return RUN.invoke(app, ["package", "recommend", str(files / "meters.csv"), *asked, *more])


def test_what_to_offer_whom_first_with_every_share_told(files):
    (files / "history.csv").write_text("customer,package\nc0,pv\nc2,pv\n")
    out = files / "all.csv"
    done = recommended(files, "--history", str(files / "history.csv"), "-o", str(out))
    assert done.exit_code == 0, told(done)
    assert "weights, usual ones, as too little was taken to learn from: money 30%" in told(done)
    rows = list(csv.DictReader(out.open()))
    assert {r["customer"] for r in rows} == {f"c{k}" for k in range(6)}
    assert not [r for r in rows if (r["customer"], r["package"]) in (("c0", "pv"), ("c2", "pv"))]
    assert not [r for r in rows if r["customer"] == "c5" and "pv" in r["package"]]
    for customer in ("c1", "c3"):
        mine = [r for r in rows if r["customer"] == customer]
        assert [int(r["rank"]) for r in mine] == list(range(1, len(mine) + 1))
        assert sum(float(mine[0][c]) for c in ("money", "popularity", "association", "content", "collaborative")) == (
            pytest.approx(1.0, abs=1e-3)
        )


def test_everything_wrong_with_the_files_is_told_at_once(files):
    (files / "facts.csv").write_text("customer,roof_m2,sector\nc0,much,hotel\nc1,-4,works\n")
    words = told(recommended(files))
    assert "row 2: roof_m2 is 'much'" in words
    assert "row 3: roof_m2 is '-4'" in words
    assert "has no row for c4" in words
    (files / "facts.csv").write_text("customer,roof\n")
    assert "lacks the columns roof_m2, sector" in told(recommended(files))


def test_an_unknown_package_and_an_unknown_customer_are_told_with_their_rows(files):
    (files / "history.csv").write_text("customer,package\nc0,sun\nnobody,pv\n")
    words = told(recommended(files, "--history", str(files / "history.csv")))
    assert "row 2: 'sun' is no package" in words
    assert "row 3: 'nobody' has no meter data" in words


@pytest.fixture
def two_customers(tmp_path):
    """The demo park with two of its ten customers."""
    site = yaml.safe_load(PARK.read_text(encoding="utf-8"))
    site["customers"] = [c for c in site["customers"] if c["id"] in ("sport", "restaurant")]
    site["profiles"]["file"] = str(PARK.parent / site["profiles"]["file"])
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(site, allow_unicode=True), encoding="utf-8")
    return path


def matched(folder, site, offers, *more):
    (folder / "offers.csv").write_text(offers)
    return RUN.invoke(app, ["package", "match", str(folder / "offers.csv"), "--site", str(site), *more])


def test_needs_find_providers_within_capacities_and_the_network(tmp_path, two_customers):
    out = tmp_path / "matches.csv"
    offers = (
        "provider,module,price_factor,capacity,valid_until,guarantee_share,rating\n"
        "Sun Ltd,pv,0.95,2000,2030-01-01,0.5,0.9\nRoof Works,pv,0.90,60,2030-01-01,0.2,0.8\n"
        "Late Ltd,pv,0.50,2000,2020-01-01,1,1\n"
    )
    done = matched(tmp_path, two_customers, offers, "--on", "2026-05-01", "-o", str(out))
    assert done.exit_code == 0, told(done)
    rows = list(csv.DictReader(out.open()))
    assert {r["customer"] for r in rows if r["module"] == "pv"} == {"sport", "restaurant"}
    assert {r["provider"] for r in rows} <= {"Sun Ltd", "Roof Works"}
    assert all(r["why"] for r in rows)
    assert "deliverable: 0 of 8760 hours beyond a limit" in told(done)
    gain, first, most = (float(v.replace(",", "")) for v in re.search(
        r"gain ([\d,]+) a year, first come ([\d,]+), at most ([\d,]+)", told(done)
    ).groups())  # fmt: skip
    assert first <= gain <= most


def test_an_offer_that_is_none_is_told_with_its_row(tmp_path, two_customers):
    offers = "provider,module,price_factor,capacity,valid_until,guarantee_share,rating\n,sun,cheap,-1,soon,2,1\n"
    words = told(matched(tmp_path, two_customers, offers))
    for part in (
        "module 'sun'",
        "price_factor is 'cheap'",
        "capacity is -1",
        "valid_until is 'soon'",
        "guarantee_share is 2",
        "names no provider",
    ):
        assert f"row 2: {part}" in words
