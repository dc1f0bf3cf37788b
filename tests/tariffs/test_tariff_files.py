"""Tariffs as documents: every kind of component, everything wrong at once, and shares of savings."""

from dataclasses import fields
from datetime import UTC, date, datetime

import numpy as np
import pytest

from models.errors import DataError
from models.tariffs.bill import bill
from models.tariffs.calendar import Calendar, Intervals
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.components import SharedSavings
from models.tariffs.file import KINDS, read_tariff, require_tariff
from models.tariffs.money import micro
from models.tariffs.tariff import Tariff, Version

PARTS = [
    {"kind": "fixed", "name": "standing", "amount_micro": 20_000_000},
    {"kind": "energy", "name": "energy", "tiers": {"0": [{"price_micro": 600_000, "up_to": 500_000}, {"price_micro": 900_000}]}},
    {"kind": "hours_use", "name": "hours", "blocks": [{"tiers": [{"price_micro": 100_000}]}]},
    {"kind": "spot", "name": "spot", "index": "day-ahead", "block_w": 1000, "block_price_micro": 400_000},
    {"kind": "demand", "name": "demand", "tiers": {"0": [{"price_micro": 38_000_000}]}, "rule": {"lookback_months": 11, "lookback_share_ppm": [800_000] * 12}},
    {"kind": "coincident_peak", "name": "peak", "price_micro": 5_000_000, "instants": ["2026-07-15T08:00:00Z"]},
    {"kind": "capacity", "name": "capacity", "price_micro": 25_000_000, "contracted_va": 1_000_000},
    {"kind": "power_factor", "name": "factor", "table": [[0, 50_000], [900, 0]], "on": ["energy"]},
    {"kind": "net_billing", "name": "export", "prices_micro": {"0": 300_000}},
    {"kind": "shared_savings", "name": "saved", "share_ppm": 400_000, "prices_micro": {"0": 700_000}},
    {"kind": "minimum", "name": "least", "amount_micro": 10_000_000, "on": ["energy"]},
    {"kind": "percentage", "name": "tax", "share_ppm": 130_000, "on": ["energy", "standing"]},
]  # fmt: skip


def document(parts=PARTS, **more):
    version = {"id": "1", "valid_from": "2020-01-01", "components": parts}
    return {"format": "jouletwin-tariff/1", "calendar": {"time_zone": "Asia/Shanghai"}, "versions": [version]} | more


def test_every_kind_of_component_can_be_written():
    tariff = require_tariff(document(), "all", "UTC")
    (version,) = tariff.versions
    assert [type(c) for c in version.components] == [KINDS[p["kind"]] for p in PARTS]
    others = {"net_metering", "buy_all_sell_all"}  # of the ways to pay for export a tariff has one
    assert {p["kind"] for p in PARTS} | others == KINDS.keys()
    for kind in sorted(others):
        prices = {"prices_micro": {"0": 1}} if "prices_micro" in {f.name for f in fields(KINDS[kind])} else {}
        (only,) = require_tariff(document([{"kind": kind, "name": "x", **prices}]), "x", "UTC").versions[0].components
        assert type(only) is KINDS[kind]


def test_everything_wrong_is_told_at_once_with_its_place():
    parts = [
        {"kind": "levy", "name": "x"},
        {"kind": "fixed", "name": "standing", "amount_micro": 1.5},
        {"kind": "energy", "name": "energy", "tiers": {"0": [{"price_micro": 1}]}, "colour": "red"},
    ]
    tariff, found = read_tariff(document(parts), "bad", "UTC")
    assert tariff is None
    places = {f.place for f in found}
    at = "versions.0.components"
    assert places == {f"{at}.0", f"{at}.1.amount_micro", f"{at}.2.colour"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"calendar": {"time_zone": "Mars/Base"}}, "Mars/Base"),
        ({"versions": []}, "at least one"),
        ({"versions": [{"id": "1", "valid_from": "someday", "components": []}]}, "date"),
    ],
)
def test_a_tariff_that_makes_no_sense_is_refused_in_words(changes, words):
    with pytest.raises(DataError, match=words):
        require_tariff(document() | changes, "bad", "UTC")


def test_tiers_that_overlap_are_refused():
    tiers = [{"price_micro": 1, "up_to": 500}, {"price_micro": 2, "up_to": 400}, {"price_micro": 3}]
    with pytest.raises(DataError, match="tiers overlap"):
        require_tariff(document([{"kind": "energy", "name": "energy", "tiers": {"0": tiers}}]), "bad", "UTC")


def test_savings_are_shared_above_the_baseline_and_never_charged_below():
    parts = (SharedSavings("saved", 400_000, {0: micro("0.7")}),)
    tariff = Tariff("esco", "CNY", Calendar("UTC"), (Version("1", date(2020, 1, 1), parts),))
    intervals = Intervals(datetime(2026, 6, 1, tzinfo=UTC), 30 * 24, 60)
    used = np.stack([np.full(720, 3_000), np.full(720, 5_000)])
    baseline = np.full((2, 720), 4_000)
    with pytest.raises(DataError, match="bring baseline_wh"):
        bill(compile_tariff(tariff, intervals), Meters(used))
    made = bill(compile_tariff(tariff, intervals), Meters(used, baseline_wh=baseline))
    # 720 kWh saved at 0.70 are worth 504.00, of which 40 % are paid; who uses more than the baseline pays nothing
    assert made.total_micro[:, 0].tolist() == [micro("201.60"), 0]
