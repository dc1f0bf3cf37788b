"""URDB rates as the database gives them."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from models.errors import DataError
from models.tariffs.bill import bill
from models.tariffs.calendar import Intervals
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.components import Demand, DemandRule, Energy, Fixed, Minimum, NetBilling
from models.tariffs.money import micro
from models.tariffs.urdb import read_urdb

EVENING = [[0] * 17 + [1] * 4 + [0] * 3] * 12
RATE = {
    "label": "5f0000000000000000000001",
    "name": "General service",
    "startdate": 1577836800,
    "energyratestructure": [
        [{"max": 500, "rate": 0.1, "adj": 0.01, "unit": "kWh"}, {"rate": 0.2, "unit": "kWh", "sell": 0.05}],
        [{"rate": 0.3, "unit": "kWh", "sell": 0.08}],
    ],
    "energyweekdayschedule": EVENING,
    "energyweekendschedule": [[0] * 24] * 12,
    "flatdemandstructure": [[{"rate": 8}], [{"max": 50, "rate": 10}, {"rate": 12}]],
    "flatdemandmonths": [0] * 5 + [1] * 4 + [0] * 3,
    "lookbackpercent": 0.8,
    "lookbackmonths": 11,
    "fixedchargefirstmeter": 0.5,
    "fixedchargeunits": "$/day",
    "mincharge": 30,
}


def test_a_rate_becomes_components():
    tariff = read_urdb(RATE, "America/Chicago").tariff
    (version,) = tariff.versions
    by_kind = {type(c): c for c in version.components}
    assert version.valid_from == date(2020, 1, 1)
    assert by_kind[Energy].tiers[0][0].price_micro == micro("0.11")
    assert by_kind[Energy].tiers[0][0].up_to == 500_000
    assert by_kind[Fixed] == Fixed("fixed", micro("0.5"), daily=True)
    assert by_kind[Demand].rule == DemandRule(11, (800_000,) * 12)
    assert by_kind[NetBilling].prices_micro == {0: 0, 1: micro("0.08")}
    assert by_kind[Minimum].on == ("energy", "demand_flat", "fixed", "export")


def test_a_rate_bills_a_month_that_one_can_check_by_hand():
    tariff = read_urdb(RATE, "America/Chicago").tariff
    june = Intervals(datetime(2026, 6, 1, 5, tzinfo=UTC), 720, 60)
    found = bill(compile_tariff(tariff, june), Meters(np.full((1, 720), 1000, dtype=np.int64)))
    evening = 22 * 4  # weekdays of June 2026
    below = (720 - evening) * 500_000 // 720  # every period is cut at the same share of the month
    energy = round(below * 0.11 / 1000, 2) + round(((720 - evening) * 1000 - below) * 0.2 / 1000, 2) + evening * 0.3
    assert found.part_micro("energy", (2026, 6)) == micro(f"{energy:.2f}")
    assert found.part_micro("demand_flat", (2026, 6)) == micro(10)
    assert found.part_micro("fixed", (2026, 6)) == micro(15)


def test_a_rate_that_cannot_be_read_says_so():
    with pytest.raises(DataError, match="cannot be read"):
        read_urdb({"label": "x", "energyratestructure": [[{"rate": 1}]]}, "UTC")
    with pytest.raises(DataError, match="fixed charge in"):
        read_urdb(RATE | {"fixedchargeunits": "$/year"}, "UTC")


def test_what_is_left_out_or_rounded_is_told():
    fine = [[{"rate": 0.12345678}]]
    extra = {"coincidentratestructure": [[{"rate": 1}]], "energyratestructure": fine}
    rate = RATE | extra | {"energyweekdayschedule": [[0] * 24] * 12}
    words = [f.message for f in read_urdb(rate, "UTC").findings]
    assert any("is not read" in w for w in words)
    assert any("1 prices have more than six decimals" in w for w in words)
