"""What-if cases: files with every problem found at once, changes that commute, runs that equal their base when nothing changes."""

import itertools
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import xarray as xr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carriers import Carrier
from models.errors import DataError, SiteError
from models.findings import errors_in
from models.site.file import load_site
from scenarios.cases.case import setting_of, try_changes
from scenarios.cases.circumstances import CarbonPrice, OutageWindow, Weather, WorkOnAsset
from scenarios.cases.compare import compare
from scenarios.cases.equipment import EvUptake, LoadGrowth, RemoveAsset, Resize
from scenarios.cases.file import case_schema, library, load_case, read_case, with_values
from scenarios.cases.results import KPIS, load_result
from scenarios.cases.run import run_case
from scenarios.cases.setting import Setting
from scenarios.cases.terms import NetworkTemperature, PriceChange, Reinforce
from scenarios.cases.verdict import Remembered, judged, junit, load_baseline, markdown, save_baseline
from scenarios.sites import park_path

SHORT = """
format: jouletwin-case/1
name: short
title: Six hours of a morning
site: park
start: 2015-07-15
days: 0.25
run: {step: hour, proof: each_step}
"""
CONSUMERS = ["metal1", "metal2", "food", "warehouse", "repair", "restaurant", "office", "sport", "hotel", "metal_w"]
CONSUMERS += ["cold_rooms", "ev_office", "ev_hotel"]
OF_SIZING = {
    "present_cost",
    "investment",
    "npv",
    "annuity",
    "irr_share",
    "payback_years",
    "co2_kg_per_year",
    "co2_saved_kg_per_year",
    "unserved_kwh_per_year",
}


def written(folder: Path, text: str, name: str = "short.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory):
    return load_case(written(tmp_path_factory.mktemp("case"), SHORT))


@pytest.fixture(scope="module")
def base(short, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("base") / "run"
    result = run_case(short)
    return result, result.save(folder)


def test_a_case_without_changes_equals_its_base_bit_for_bit(short, base):
    again = run_case(short.base)
    xr.testing.assert_identical(again.arrays, base[0].arrays)
    assert again.kpis == base[0].kpis


def test_a_saved_run_is_the_run(base):
    result, folder = base
    read = load_result(folder)
    xr.testing.assert_equal(read.arrays, result.arrays)
    assert read.kpis == result.kpis
    assert set(read.networks) == set(result.networks) == {"park_20kv", "park_heat", "park_cold", "park_gas"}
    np.testing.assert_array_equal(read.networks["park_20kv"]["vm_pu"], result.networks["park_20kv"]["vm_pu"])


def test_every_figure_of_a_run_is_in_the_catalogue_and_the_parts_are_the_total(base):
    kpis = base[0].kpis
    assert set(kpis) == set(KPIS) - OF_SIZING
    assert kpis["total_cost"] == pytest.approx(sum(v for n, v in kpis.items() if n.startswith("cost_")))
    grid = base[0].arrays["power_kw"].sel(asset="grid", carrier="electricity")
    assert kpis["import_kwh"] == pytest.approx(float(grid.clip(min=0).sum()))
    assert kpis["peak_kw"] == pytest.approx(float(grid.max()))
    assert base[0].arrays.sizes["time"] == 6


def test_who_goes_short_and_what_runs_is_counted(short, base):
    makers = ("chiller1", "chiller2", "absorption", "cold_tank")
    warm = run_case(replace(short, changes=tuple(OutageWindow(asset=a, from_h=2, hours=2) for a in makers)))
    asked = -float(base[0].arrays["power_kw"].clip(max=0).sel(asset=CONSUMERS).sum())
    assert base[0].kpis["served_share"] == 1.0
    assert base[0].kpis["comfort_h"] == 0.0
    assert warm.kpis["comfort_h"] == 2.0
    assert warm.kpis["served_share"] == pytest.approx(1.0 - warm.kpis["unserved_kwh"] / asked)
    assert warm.kpis["served_share"] < 0.999
    site = load_site(park_path())
    chilled = sum(
        float(base[0].arrays["power_kw"].sel(asset=c, carrier="cold").clip(min=0).sum()) / site.asset(c).cold_max_kw
        for c in ("chiller1", "chiller2", "absorption")
    )
    assert base[0].kpis["chiller_hours"] == pytest.approx(chilled)


def test_a_change_is_told_as_its_file_states_it():
    assert Resize(asset="battery", to={"energy_kwh": 4000.0}, note="why not").told() == (
        "resize: asset battery, to energy_kwh 4000 (why not)"
    )
    assert CarbonPrice(price_per_kg=0.1).told() == "co2_price: price_per_kg 0.1"
    assert WorkOnAsset(asset="wind", hours=2.0, from_h=1.0).told() == "work_order: asset wind, from_h 1, hours 2"


def test_an_outage_a_price_and_a_limit_do_what_they_say(short, base):
    work = (WorkOnAsset(asset="battery", hours=2.0), WorkOnAsset(asset="wind", hours=2.0, from_h=1.0))
    changes = (OutageWindow(asset="chiller1", from_h=0, hours=6), CarbonPrice(price_per_kg=1.0), *work)
    result = run_case(replace(short, changes=changes))
    assert float(abs(result.arrays["power_kw"].sel(asset="chiller1")).max()) == 0.0
    assert float(base[0].arrays["power_kw"].sel(asset="chiller1", carrier="cold").max()) > 100.0
    assert result.kpis["outage_h"] == pytest.approx(10.0)
    wind_kw = result.arrays["power_kw"].sel(asset="wind", carrier="electricity").to_numpy()
    assert (wind_kw[2:4] == 0.0).all()
    # the crew is at the battery until then
    assert "2015-07-14 18:00 UTC wind: out of service for 2.0 h" in result.events
    assert result.kpis["cost_co2"] == pytest.approx(result.kpis["co2_kg"])
    assert any("chiller1: out of service for 6.0 h" in e for e in result.events)


INDEPENDENT = (
    Resize(asset="battery", to={"energy_kwh": 4000.0}),
    LoadGrowth(factor=1.2, carrier=Carrier.HEAT),
    LoadGrowth(factor=1.1),
    EvUptake(factor=1.3, fleets=("ev_office",)),
    PriceChange(contract="natural_gas", energy_factor=1.5),
    PriceChange(contract="power", energy_factor=1.2),
    NetworkTemperature(network="park_heat", supply_k=-10.0),
    Reinforce(element="line_1_2", parallel=2),
    RemoveAsset(asset="wind"),
    OutageWindow(asset="chp1", from_h=2.0, hours=3.0),
    Weather(series="*_degc", offset=2.0),
    WorkOnAsset(asset="chp2", from_h=1.0, hours=2.0),
)
PARK = load_site(park_path())


@settings(max_examples=40, deadline=None)
@given(st.permutations(INDEPENDENT))
def test_the_order_of_independent_changes_does_not_matter(order):
    def after(changes) -> Setting:
        setting = Setting(PARK)
        for change in changes:
            setting = change.applied(setting)
        return setting

    one, other = after(INDEPENDENT), after(order)
    assert {a.id: a for a in one.site.assets if a.kind != "consumer"} == {
        a.id: a for a in other.site.assets if a.kind != "consumer"
    }
    scales = [[d.scale for c in s.site.assets if c.kind == "consumer" for d in c.demands] for s in (one, other)]
    assert scales[0] == pytest.approx(scales[1], rel=1e-12)
    assert (one.site.networks, one.site.contracts) == (other.site.networks, other.site.contracts)
    assert (set(one.outages), set(one.orders)) == (set(other.outages), set(other.orders))
    assert set(one.shifts) == set(other.shifts)


def test_the_shipped_cases_can_all_be_made_and_say_what_they_expect():
    cases = [load_case(name) for name in library()]
    assert len(cases) >= 14
    for case in cases:
        assert case.expect, case.name
        assert len(case.story) > 80, case.name
        assert not errors_in(try_changes(case)[1]), case.name
        jsonschema.validate(
            yaml.safe_load(library()[case.name].read_text()) | {"start": str(case.start)}, case_schema()
        )


def test_a_case_that_extends_another_is_compared_with_it():
    bigger = load_case("battery_4mwh")
    assert bigger.base.changes == load_case("battery_1mwh").changes
    assert setting_of(bigger).site.asset("battery").energy_kwh == 4000.0
    assert setting_of(bigger.base).site.asset("battery").energy_kwh == 1000.0


def test_a_parameter_reaches_its_change_and_only_known_ones_do():
    case = load_case("battery_1mwh")
    assert setting_of(with_values(case, {"energy_kwh": 2500.0})).site.asset("battery").energy_kwh == 2500.0
    with pytest.raises(SiteError, match="is no parameter of this case; it has energy_kwh, power_kw"):
        load_case("battery_1mwh", {"size": 3.0})


WRONG = [
    ("- {kind: resize, asset: batery, to: {energy_kwh: 1}}", r"changes\[0\] \(resize\): there is no asset batery"),
    ("- {kind: resize, asset: battery, to: {energy: 1}}", "has no parameter energy; it has .*energy_kwh"),
    ("- {kind: resize, asset: battery, to: {energy_kwh: -1}}", "energy_kwh: Input should be greater than 0"),
    ("- {kind: resize, asset: battery}", "names no parameter; give 'to' or 'times'"),
    ("- {kind: grow, factor: 2}", "kind is unknown"),
    ("- {kind: load_growth, factor: 0}", "must be above 0"),
    ("- {kind: load_growth, factor: 2, consumers: [chp1]}", "chp1 is no consumer; there are metal1"),
    ("- {kind: price_change, contract: gas_price}", "there is no contract gas_price; the site has power, natural_gas"),
    ("- {kind: reinforce, element: line_9, parallel: 2}", "no electric network has a line or transformer line_9"),
    ("- {kind: network_temperature, network: park_heat, supply_k: -40}", "45 °C cannot serve a return at 55 °C"),
    ("- {kind: weather, series: 'wind_speed*'}", "no series matches"),
    ("- {kind: demand_response, grid: chp1, import_max_kw: 5, from_h: 0, hours: 1}", "chp1 is no grid connection"),
    ("- {kind: outage, asset: chp1, hours: 0}", "must be above 0"),
    ("- {kind: work_order, asset: chp9, hours: 1}", "there is no asset chp9"),
    ("- {kind: move_asset, asset: battery, nodes: {electricity_node: bus_99}}", "bus_99"),
    (
        "- {kind: remove_asset, asset: battery}\n- {kind: resize, asset: battery, to: {energy_kwh: 5}}",
        r"changes\[1\] \(resize\): contradicts changes\[0\] \(remove_asset\)",
    ),
    (
        "- {kind: co2_price, price_per_kg: 1}\n- {kind: co2_price, price_per_kg: 2}",
        "contradicts .*: both change co2_price; keep one of them",
    ),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[w[0][:40] for w in WRONG])
def test_what_cannot_be_is_said_before_anything_runs(tmp_path, changes, words):
    case, findings = read_case(written(tmp_path, f"{SHORT}changes:\n{changes}\n"))
    found = [*findings, *(try_changes(case)[1] if case else ())]
    text = "\n".join(str(f) for f in errors_in(found))
    import re

    assert re.search(words, text), text


def test_all_problems_of_a_case_are_found_at_once(tmp_path):
    text = SHORT.replace("days: 0.25", "days: 0") + (
        "parameters:\n  a: {default: 1, low: 2, high: 2}\n  b: {default: 1, values: [3]}\n"
        "changes:\n- {kind: load_growth, factor: '${c}'}\nexpect:\n- {kind: x}\n"
    )
    _, findings = read_case(written(tmp_path, text))
    places = {f.place for f in findings}
    assert {"days", "changes[0].factor"} <= places
    fixed = (
        text.replace("days: 0", "days: 1")
        .replace("'${c}'", "'${a}'")
        .replace("{kind: x}", "{kpi: costs, direction: lower}")
    )
    _, findings = read_case(written(tmp_path, fixed))
    said = "\n".join(map(str, findings))
    for words in ("range of one point", "at least two different values", "nothing uses it", "there is no figure costs"):
        assert words in said


def test_a_missing_or_broken_result_is_told(tmp_path, base):
    with pytest.raises(DataError, match="run the case first"):
        compare(base[1], [tmp_path / "nothing"])
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="is no result") as told:
        compare(broken, [tmp_path / "nothing"])
    assert len(told.value.findings) == 2


def test_a_comparison_has_the_files_numbers_and_says_why(tmp_path, short, base):
    dearer = run_case(
        replace(short, name="dear", title="Dear gas", changes=(PriceChange(contract="natural_gas", energy_factor=3.0),))
    )
    comparison = compare(base[1], [dearer.save(tmp_path / "dear")])
    table = comparison.table()
    for name in set(KPIS) - OF_SIZING:
        assert table.loc[name, "dear"] == dearer.kpis[name]
        assert table.loc[name, "short"] == base[0].kpis[name]
    sentences = list(comparison.why(comparison.runs[0]))
    assert sentences[0].startswith("Total cost rises by")
    assert list(compare(base[1], [base[1]]).why(comparison.base)) == [
        "Nothing changed: every figure equals the base's."
    ]


def test_a_verdict_holds_a_run_to_its_expectations_and_to_the_baseline(tmp_path, short, base):
    from xml.etree import ElementTree

    from scenarios.cases.case import Expectation

    record = base[0].record()
    case = replace(short, expect=(Expectation(kpi="total_cost", direction="same"),))
    assert judged(case, record, record, record["kpis"]).ok
    moved = dict(record["kpis"]) | {"co2_kg": record["kpis"]["co2_kg"] * 1.02}
    worse = judged(case, record, record, moved)
    assert "CO2 emitted moved from" in worse.problems[0]
    wrong = judged(replace(case, expect=(Expectation(kpi="peak_kw", direction="lower"),)), record, record, None)
    assert len(wrong.problems) == 2
    tree = ElementTree.fromstring(junit([judged(case, record, record, record["kpis"]), worse]))  # noqa: S314 - our own text
    assert (tree.get("tests"), tree.get("failures")) == ("2", "1")
    assert markdown([worse]).count("\n") == 3
    sized = replace(worse, kpis={"net_present_value": 1.0})  # a case of sizing has no day's cost
    assert markdown([sized]).splitlines()[-1].endswith(f"| - | - | - | {sized.seconds:.1f} |")
    path = tmp_path / "baseline.json"
    with pytest.raises(DataError, match="make one with --update"):
        load_baseline(path)
    save_baseline(path, {"short": Remembered("hour", record["kpis"])})
    kept = load_baseline(path)["short"]
    assert kept.step == "hour"
    assert judged(case, record, record, kept.kpis).ok
    path.write_text(path.read_text(encoding="utf-8").replace('"step"', '"stop"'), encoding="utf-8")
    with pytest.raises(DataError, match="damaged baseline"):
        load_baseline(path)


def test_an_expectation_is_met_only_by_so_much_the_right_way():
    from scenarios.cases.case import Expectation

    lower = Expectation(kpi="co2_kg", direction="lower", share=0.1)
    assert [lower.met(v, 100.0) for v in (80.0, 90.0, 95.0, 110.0)] == [True, True, False, False]
    same = Expectation(kpi="co2_kg", direction="same", by=2.0)
    assert [same.met(v, 100.0) for v in (98.5, 103.0)] == [True, False]
    for direction, value in itertools.product(("higher", "lower"), (100.0,)):
        assert not Expectation(kpi="co2_kg", direction=direction).met(value, 100.0)
