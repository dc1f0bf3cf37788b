"""Meter data from files: everything wrong is told with row and words, and nothing is taken by halves."""

import io
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from customers.intervals.keeping import read_store, write_store
from customers.intervals.reading import Asked, read_meters
from customers.intervals.series import MeterTable, Version
from customers.intervals.store import Edit
from customers.intervals.vee import findings_of, validate
from market.meters import Quality
from models.carriers import Carrier
from models.errors import DataError

CHINA = Asked("kWh", "Asia/Shanghai")
BERLIN = Asked("kWh", "Europe/Berlin")


def read(text: str, asked: Asked = CHINA):
    return read_meters(text.encode(), asked)


def refused(text: str, asked: Asked = CHINA) -> str:
    with pytest.raises(DataError) as caught:
        read(text, asked)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_units_in_headings_hold(delimiter):
    rows = (
        ["time", "office [kW]", "metal_w [MWh]"],
        ["2026-01-01 00:00", "4", "0.001"],
        ["2026-01-01 00:15", "8", "0.002"],
    )
    table, told = read("\n".join(delimiter.join(r) for r in rows))
    assert table.customers == ("office", "metal_w")
    assert table.energy_kwh.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert table.intervals.start == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert not told


def test_a_decimal_comma_is_understood_and_an_empty_cell_is_a_gap():
    table, _ = read("time;a\n2026-01-01 00:00;1,5\n2026-01-01 00:15;\n2026-01-01 00:30;2,5\n")
    assert table.energy_kwh[0, [0, 2]].tolist() == [1.5, 2.5]
    assert table.quality[0].tolist() == [Quality.MEASURED, Quality.MISSING, Quality.MEASURED]


def test_a_workbook_and_a_text_are_the_same():
    rows = [["time", "a"], *([datetime(2026, 1, 1, h), float(h)] for h in range(5))]  # noqa: DTZ001 - a workbook knows no zones
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    one, _ = read_meters(file.getvalue(), CHINA)
    two, _ = read("time,a\n" + "\n".join(f"{t},{v}" for t, v in rows[1:]))
    assert one.intervals == two.intervals
    assert np.array_equal(one.energy_kwh, two.energy_kwh)


def test_a_row_per_reading_is_laid_by_customer():
    table, _ = read(
        "meter,at,value\na,2026-01-01T00:00Z,1\nb,2026-01-01T00:30Z,3\na,2026-01-01T00:15Z,2\nb,2026-01-01T00:15Z,4\n"
    )
    assert np.array_equal(table.energy_kwh, [[1, 2, np.nan], [np.nan, 4, 3]], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "asked", "words"),
    [
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n", Asked("kWh"), "row 2: 2 times have no zone"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n", Asked("", "Asia/Shanghai"), "the unit is not stated"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n", Asked("kWh/h", "UTC"), "no unit of energy or power"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n", Asked("m3", "UTC"), "electricity is not metered in m3"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n", Asked("m3", "UTC", Carrier.GAS), "calorific value"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n", Asked("kWh", "Mars/Base"), "no time zone"),
        ("time,a\n2026-01-01 00:00,1\nyesterday,2\n2026-01-01 00:30,x\n", CHINA, "row 3: 'yesterday' is no instant"),
        ("time,a\n2026-01-01 00:00,1\nyesterday,2\n2026-01-01 00:30,x\n", CHINA, "row 4, column a: 'x' is no number"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:00,2\n2026-01-01 00:15,2\n", CHINA, "rows 2 and 3 give 1 and 2"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n2026-01-01 00:30,2\n2026-01-01 00:35,2\n", CHINA, "overlap"),
        ("time,a\n2026-01-01 00:00,9e9\n2026-01-01 00:15,9e9\n", CHINA, "is the unit stated right"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,-2\n", Asked("kWh", "UTC", Carrier.HEAT), "heat is only ever drawn"),
        ("time,a,a\n2026-01-01 00:00,1,1\n2026-01-01 00:15,2,1\n", CHINA, "stands 2 times"),
        ("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,2,3\n", CHINA, "row 3: has 3 cells"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_row(text, asked, words):
    assert words in refused(text, asked)


def test_every_problem_is_told_at_once():
    words = refused("time,a\n2026-01-01 00:00,x\nnever,1\n2026-01-01 00:30,y\n", Asked("", "UTC"))
    assert all(part in words for part in ("unit is not stated", "row 2", "row 3", "row 4"))


def test_what_is_no_table_is_refused():
    with pytest.raises(DataError, match="neither a table"):
        read_meters(b"\xff\xfe\x00", CHINA)


def test_repeats_with_the_same_value_are_taken_once_and_told():
    table, told = read("time,a\n2026-01-01 00:00,1\n2026-01-01 00:00,1\n2026-01-01 00:15,2\n")
    assert table.energy_kwh.tolist() == [[1.0, 2.0]]
    assert "row 3; taken once" in told[0].message


def test_a_stated_end_says_how_long_a_reading_lasts():
    rows = [f"a,2026-01-01 {h:02}:00,2026-01-01 {h:02}:15,1" for h in range(24)]
    table, told = read("customer,start,end,value [kWh]\n" + "\n".join(rows))
    assert not told
    assert table.intervals.minutes == 15
    assert table.energy_kwh[0, :5].tolist() == pytest.approx([1, np.nan, np.nan, np.nan, 1], nan_ok=True)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (
            "2026-01-01 00:45",
            "1 intervals end after the next one has begun; intervals may not overlap, the first in row 3",
        ),
        ("2026-01-01 00:15", "1 intervals end before they begin, the first in row 3"),
        ("2026-01-01 00:20", "1 intervals do not last 15 min as most do, the first in row 3"),
        ("soon", "row 3: 'soon' is no instant"),
    ],
)
def test_an_interval_that_ends_too_late_or_too_early_is_told_with_its_row(end, words):
    ends = ("00:15", end, "00:45", "01:00")
    rows = [
        f"a,2026-01-01 00:{15 * k:02},{e if ' ' in e or e == 'soon' else '2026-01-01 ' + e},1"
        for k, e in enumerate(ends)
    ]
    assert words in refused("customer,start,end,value [kWh]\n" + "\n".join(rows))


def test_figures_that_stand_hours_apart_in_a_table_of_quarter_hours_are_gaps():
    rows = [
        f"{datetime.fromtimestamp(1767225600 + 900 * k, UTC).isoformat()},{'5' if k % 100 == 0 else ''}"
        for k in range(3500)
    ]
    table, _ = read("time,a\n" + "\n".join(rows))
    assert table.intervals.minutes == 15
    assert (~np.isnan(table.energy_kwh)).sum() == 35


def test_the_repeated_hour_of_autumn_is_two_hours_and_the_missing_one_of_spring_none():
    hours = [f"2026-10-25 {h:02}:00" for h in (0, 1, 2, 2, 3, 4)]
    table, _ = read("time,a\n" + "\n".join(f"{h},{k}" for k, h in enumerate(hours)), BERLIN)
    assert table.energy_kwh.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert table.intervals.start == datetime(2026, 10, 24, 22, tzinfo=UTC)
    hours = [f"2026-03-29 {h:02}:00" for h in (0, 1, 3, 4)]
    table, _ = read("time,a\n" + "\n".join(f"{h},1" for h in hours), BERLIN)
    assert table.intervals.count == 4
    assert "do not exist in Europe/Berlin" in refused("time,a\n2026-03-29 02:00,1\n2026-03-29 02:30,1\n", BERLIN)


def test_a_day_s_reading_is_spread_over_its_23_hours_and_marked():
    table, told = read("day,a\n2026-03-28,24\n2026-03-29,23\n2026-03-30,24\n2026-03-31,24\n", BERLIN)
    assert table.energy_kwh[0].tolist() == [1.0] * (24 * 4 - 1)
    assert (table.quality == Quality.ESTIMATED).all()
    assert "spread evenly" in told[0].message


def test_stamps_at_the_end_are_moved_to_the_start():
    table, _ = read("time,a\n2026-01-01T00:15Z,1\n2026-01-01T00:30Z,2\n", Asked("kWh", "UTC", stamped_at_end=True))
    assert table.intervals.start == datetime(2026, 1, 1, tzinfo=UTC)


def test_negative_electricity_is_told_unless_customers_feed_in():
    text = "time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,-2\n"
    assert "row 3" in read(text)[1][0].message
    assert not read(text, Asked("kWh", "UTC", feeds_in=True))[1][1:]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 8_000_000), min_size=2, max_size=40), st.sampled_from(["Wh", "kWh", "MWh"]))
def test_whole_watt_hours_survive_the_import(watt_hours, unit):
    factor = {"Wh": 1, "kWh": 1e3, "MWh": 1e6}[unit]
    rows = [f"2026-01-01T{k // 4:02}:{k % 4 * 15:02}Z,{wh / factor!r}" for k, wh in enumerate(watt_hours)]
    table, _ = read("time,a\n" + "\n".join(rows), Asked(unit, "UTC"))
    assert table.whole_wh("a")[0].tolist() == watt_hours


def test_one_percent_of_the_data_concludes_nothing_and_says_so():
    energy = np.full((1, 96 * 60), np.nan)
    energy[0, :58] = 1.0
    store = validate(MeterTable.of(["a"], datetime(2026, 1, 1, tzinfo=UTC), 15, energy, "UTC"))
    assert "nothing is concluded from so little" in findings_of(store)[0].message


def _store():
    rng = np.random.default_rng(1)
    energy = 5 + rng.random((2, 96 * 40))
    energy[0, 500:520] = np.nan
    return validate(MeterTable.of(["a", "b"], datetime(2026, 1, 1, tzinfo=UTC), 15, energy, "UTC"))


def test_every_version_stays_readable_and_an_edit_needs_a_name_and_a_reason(tmp_path):
    store, at = _store(), datetime(2026, 1, 6, 5, tzinfo=UTC)
    good = Edit("a", at, (7.0, 8.0), "ann", "meter was read by hand", at)
    edited = store.edited(good)
    k = store.raw.intervals.index(at)
    assert edited.version(Version.EDITED).energy_kwh[0, k : k + 2].tolist() == [7.0, 8.0]
    assert np.isnan(edited.version(Version.RAW).energy_kwh[0, k])
    assert 4 < edited.version(Version.ESTIMATED).energy_kwh[0, k] < 7
    assert edited.version(Version.EDITED).quality[0, k] == Quality.CORRECTED
    assert [v for v, _, _ in edited.history("a", at)] == list(Version)
    write_store(edited, tmp_path / "base.npz")
    again = read_store(tmp_path / "base.npz")
    assert str(again.history("a", at)) == str(edited.history("a", at))
    with pytest.raises(DataError, match="no customer") as caught:
        store.edited(Edit("nobody", datetime(2026, 1, 6, 5, 3, tzinfo=UTC), (float("nan"),), "", " ", at))
    assert len(caught.value.findings) == 4


def test_base_data_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match="no file of base data"):
        read_store(tmp_path / "x.npz")


def test_an_edit_that_was_tampered_with_is_told_as_no_base_data(tmp_path):
    path = tmp_path / "base.npz"
    store = validate(read("start,a\n" + "".join(f"2026-01-05T{h:02}:00,5\n" for h in range(24)))[0])
    at = datetime(2026, 1, 5, 3, tzinfo=UTC)
    write_store(store.edited(Edit("a", at, (4.0,), "ann", "read again", at)), path)
    with np.load(path) as kept:
        arrays = dict(kept)
    head = json.loads(str(arrays["head"]))
    head["edits"][0]["energy_kwh"] = 4.0
    np.savez(path, **(arrays | {"head": np.array(json.dumps(head))}))
    with pytest.raises(DataError, match="no file of base data: an edit's energies"):
        read_store(path)
