"""The way of a user: made-up meter data in, base data, portraits, segments, target customers and savings out."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from service.cli import app


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["customers", *map(str, words)], env={"COLUMNS": "160"}, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return re.sub(r"\s+", " ", done.output)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("customers")
    run("sample", folder / "m.csv", "--count", 14, "--weather", folder / "air.csv")
    told = run("import", folder / "m.csv", "--zone", "Asia/Shanghai", "--out", folder / "base.npz")
    assert "14 customers, electricity, every 60 min from 2021-12-31T16:00:00+00:00" in told
    return folder


def test_a_portrait_has_three_sides_a_picture_and_a_report(base):
    told = run(
        "portrait",
        base / "base.npz",
        "--weather",
        base / "air.csv",
        "--customer",
        "c00003",
        "--plots",
        base,
        "--pdf",
        base,
    )
    assert all(f" {side} " in told for side in ("energy", "assets", "business", "sure"))
    assert (base / "portrait_c00003.png").stat().st_size > 20_000
    assert (base / "portrait_c00003.pdf").read_bytes().startswith(b"%PDF")


def test_segments_are_kept_and_found_again(base):
    first = run("segments", base / "base.npz", "--weather", base / "air.csv", "--out", base / "s.json", "--plots", base)
    names = json.loads((base / "s.json").read_text())["names"]
    again = run(
        "segments",
        base / "base.npz",
        "--weather",
        base / "air.csv",
        "--previous",
        base / "s.json",
        "--out",
        base / "t.json",
    )
    assert set(json.loads((base / "t.json").read_text())["names"]) & set(names)
    assert "growth is not known" in first
    assert "taken:" in again
    assert (base / "segments.png").is_file()
    assert names[0] in run("portrait", base / "base.npz", "--weather", base / "air.csv", "--model", base / "s.json")


def test_answers_to_prices_and_calls_stand_in_the_portrait(base):
    times = pd.date_range("2021-12-31T16:00Z", periods=8760, freq="h").strftime("%Y-%m-%dT%H:%MZ")
    price = np.exp(np.random.default_rng(1).normal(-0.5, 0.3, 8760)).round(4)
    pd.DataFrame({"time": times, "price_per_kwh": price}).to_csv(base / "prices.csv", index=False)
    calls = base / "calls.csv"
    calls.write_text("customer,start,end\nc00003,2022-03-15T10:00+08:00,2022-03-15T12:00+08:00\n")
    asked = ("portrait", base / "base.npz", "--customer", "c00003", "--prices", base / "prices.csv", "--calls", calls)
    told = run(*asked)
    assert "of load per 1 % of price" in told
    assert "1 call measured" in told
    calls.write_text("customer,start,end\nnobody,2022-03-15T10:00+08:00,soon\n")
    told = run(*asked, code=1)
    assert "'nobody' has no meter data" in told
    assert "row 2" in told


def test_margins_rank_where_they_are_given_and_segments_have_theirs(base):
    (base / "margins.csv").write_text("customer,margin\n" + "".join(f"c{k:05},{k}\n" for k in range(14)))
    told = run("index", base / "base.npz", "--margins", base / "margins.csv")
    assert "by simulated margin" in told
    assert re.search(r"1 │ c00013 │ 13", told)
    (base / "short.csv").write_text("customer,margin\nc00001,x\n")
    told = run("index", base / "base.npz", "--margins", base / "short.csv", code=1)
    assert "row 2" in told
    assert "c00013" in told
    assert "by score" in run("index", base / "base.npz")
    market = run("segments", base / "base.npz", "--weather", base / "air.csv", "--margins", base / "margins.csv")
    assert "a margin of" in market
    assert "a customer" in market


def test_savings_are_measured_with_years_from_other_customers(base):
    others = [word for k in range(4, 14) for word in ("--other", f"c{k:05}")]
    data = (base / "base.npz", "--weather", base / "air.csv")
    told = run("efficiency", *data, "--customer", "c00001", "--since", "2022-10-10", *others, "--plots", base)
    assert "from 10 customers without a measure" in told
    assert "by the time of the week" in told
    assert (base / "savings.png").is_file()
    assert "a judgement" in run("efficiency", *data, "--since", "2022-10-10")
    assert "over its baseline" in run("efficiency", *data, "--customer", "c00001")
    told = run("efficiency", *data, "--since", "2032-10-10", code=1)
    assert "not inside the data" in told
    told = run("efficiency", base / "base.npz", code=1)
    assert "bring it with --weather" in told


def test_a_bad_file_keeps_nothing(base):
    (base / "bad.csv").write_text("time,a\n2026-01-01 00:00,1\n2026-01-01 00:15,x\n2026-01-01 00:30,1\n")
    told = run("import", base / "bad.csv", "--zone", "UTC", "--unit", "kWh", "--out", base / "bad.npz", code=1)
    assert "row 3, column a" in told
    assert not (base / "bad.npz").exists() or (base / "bad.npz").stat().st_size == 0


def test_a_customer_without_data_is_an_error_of_the_check(base):
    rows = "".join(
        f"2026-01-{d:02}T{h:02}:00Z,5,{'5' if d == 1 and h == 1 else ''}\n" for d in range(1, 29) for h in range(24)
    )
    (base / "thin.csv").write_text("time,a,b\n" + rows)
    told = run("check", base / "thin.csv", "--unit", "kWh", "--zone", "UTC", code=1)
    assert "nothing is concluded from so little" in told


def test_weather_has_to_cover_the_data(base):
    (base / "late.csv").write_text("time,air_degc\n2022-06-01T00:00Z,10\n2022-06-02T00:00Z,x\n")
    told = run("portrait", base / "base.npz", "--weather", base / "late.csv", code=1)
    assert "row 3" in told
    (base / "late.csv").write_text("time,air_degc\n2022-06-01T00:00Z,10\n2022-06-01T01:00Z,10\n")
    told = run("portrait", base / "base.npz", "--weather", base / "late.csv", code=1)
    assert "lie outside" in told
