"""Offers on the command line: a table, files that say the same, a picture with units, and words for what is wrong."""

import csv
from datetime import date

import pytest

from models.errors import DataError, SetupError
from models.offers import OfferSet
from scenarios.offering import Deviations
from scenarios.sites import park_path
from service.commands.offers import COLUMNS, Asked, build_offers, curves_table, read_offers, show_offers, show_proof
from service.pictures.offers import offer_chart

DAY = date(2015, 7, 15)


def asked(**changes):
    made = {
        "day": DAY,
        "prices": None,
        "paths": 3,
        "steps": 4,
        "fee_per_kwh": 0.15,
        "proven": False,
        "seed": 1,
    }
    return Asked(**made | {"deviations": Deviations(0.3, 0.05)} | changes)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("offers")
    for ending in ("json", "csv"):
        assert build_offers(park_path(), asked(), out=folder / f"o.{ending}", plot=None) == 0
    return folder


def test_a_file_gives_back_the_same_offers(written, capsys):
    made = read_offers(written / "o.json")
    assert isinstance(made, OfferSet)
    assert len(made.curves) == 24
    assert max(len(c.steps) for c in made.curves) <= 4
    assert any(made.margin_kwh)
    with (written / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(c.steps) for c in made.curves)
    assert float(rows[0]["quantity_kwh"]) == made.curves[0].steps[0].quantity_wh / 1e3
    show_offers(written / "o.json", written / "o.png")
    assert (written / "o.png").stat().st_size > 10_000
    assert show_proof(written / "o.json") == 0
    said = capsys.readouterr().out
    assert "not for every mixture" in " ".join(said.split())


def test_axes_say_their_units_and_times_are_local(written):
    made = read_offers(written / "o.json")
    left, right = offer_chart(made).axes
    assert left.get_xlabel() == "price, CNY/MWh"
    assert left.get_ylabel() == right.get_ylabel() == "energy fed in the interval, MWh"
    assert curves_table(made).columns[0]._cells[0] == "00:00"


def test_what_is_wrong_is_said_in_words(written, tmp_path):
    (tmp_path / "bad.json").write_text('{"site": 3, "currency": "CNY"}')
    with pytest.raises(DataError) as told:
        read_offers(tmp_path / "bad.json")
    assert {"site", "horizon", "curves"} <= {f.place for f in told.value.findings}
    with pytest.raises(DataError, match="cannot be read"):
        read_offers(tmp_path / "absent.json")
    with pytest.raises(SetupError, match="no format for this ending"):
        build_offers(park_path(), asked(), out=tmp_path / "o.txt", plot=None)
    short = tmp_path / "short.csv"
    short.write_text(
        "time,price_per_mwh\n"
        + "\n".join(f"2015-07-{d:02d}T{h:02d}:00:00+08:00,300" for d in range(1, 11) for h in range(24))
    )
    with pytest.raises(DataError, match="needs 37 days before it"):
        build_offers(park_path(), asked(prices=short), out=None, plot=None)
