"""A site file is read whole: what is right comes back as a Site, what is wrong comes back all at once, with place and words."""

import json
from pathlib import Path

import jsonschema
import pytest

from models.carriers import Carrier
from models.components import Battery, Chp
from models.errors import SiteError
from models.findings import error
from models.site import load_profiles, load_site, read_site, site_schema
from tests.sites import document, profiles, write_tiny


def findings_of(tmp_path: Path, doc=None, table=None) -> dict[str, str]:
    return {f.place: f.message for f in read_site(write_tiny(tmp_path, doc, table))[1]}


def test_a_right_site_is_read_without_a_finding(tmp_path):
    site, findings = read_site(write_tiny(tmp_path))
    assert findings == []
    assert site.carriers == (Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS, Carrier.COLD)
    assert site.asset("chp").ports() == {
        Carrier.ELECTRICITY: "bus",
        Carrier.HEAT: "warm",
        Carrier.GAS: "gate",
    }
    assert [b.id for b in site.of_kind(Battery)] == ["battery"]
    assert site.of_kind(Chp)[0].power_max_kw == 100
    assert site.series() == ("cold_mill_kw", "el_mill_kw", "heat_mill_kw", "sun_pu")
    assert load_profiles(site).loc["2015-01-01 12:00", "el_mill_kw"] == 200


def test_all_problems_of_a_document_come_at_once_with_their_places(tmp_path):
    doc = document()
    doc["assets"][3]["min_up_minutes"] = 30
    doc["assets"][6]["charge_max_kw"] = -100
    doc["assets"][6]["energy_mwh"] = 0.2
    del doc["assets"][4]["efficiency"]
    doc["colour"] = "green"
    found = findings_of(tmp_path, doc)
    assert "convert" in found["assets[battery].energy_mwh"]
    assert "energy_kwh" in found["assets[battery].energy_mwh"]
    assert "is -100; must be above 0" in found["assets[battery].charge_max_kw"]
    assert "min_up_h" in found["assets[chp].min_up_minutes"]
    assert found["assets[boiler].efficiency"].startswith("is missing")
    assert "unknown field" in found["colour"]
    assert len(found) == 5


def test_what_is_malformed_hides_nothing_else_and_causes_nothing_else(tmp_path):
    doc = document()
    doc["colour"] = "green"
    doc["currency"] = "yuan"
    doc["assets"][4]["colour"] = "red"  # goes alone: the boiler's node is still checked
    doc["assets"][4]["heat_node"] = "nowhere"
    doc["assets"][6]["charge_max_kw"] = -100  # takes the battery along: nobody misses it twice
    doc["contracts"][1]["price_per_kwh"] = "dear"
    doc["devices"] = [
        {"id": "store", "asset": "battery", "map": "sunspec_battery", "port": 1502},
        {"id": "d2", "asset": "ghost", "map": "chp", "port": 1503},
    ]
    table = profiles().drop(index=[5])
    path = write_tiny(tmp_path, doc, table)
    site, found = read_site(path, lambda checked: [error("devices[d2].map", f"no map for {checked.name}")])
    assert site is None
    assert sorted(f.place for f in found) == [
        "assets[battery].charge_max_kw",
        "assets[boiler].colour",
        "assets[boiler].heat_node",
        "colour",
        "contracts[fuel].price_per_kwh",
        "currency",
        "devices[d2].asset",
        "devices[d2].map",
        "profiles.profiles.csv",
    ]


@pytest.mark.parametrize(
    "broken",
    [{"assets": "none"}, {"assets": [{"id": "a", "kind": "wind"}]}, {"nodes": None}, {"networks": 3}, {"location": []}],
)
def test_a_document_of_the_wrong_shape_is_refused_in_words(tmp_path, broken):
    site, found = read_site(write_tiny(tmp_path, document() | broken))
    assert site is None
    assert any(f.place.startswith(next(iter(broken))) for f in found)


def test_a_node_that_nothing_connects_to_is_told(tmp_path):
    doc = document()
    doc["nodes"].append({"id": "lonely", "carrier": "heat"})
    assert "no asset connects here" in findings_of(tmp_path, doc)["nodes[lonely]"]


def test_a_problem_names_its_line(tmp_path):
    doc = document()
    doc["assets"][6]["charge_max_kw"] = -100
    path = write_tiny(tmp_path, doc)
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "charge_max_kw: -100" in text)
    assert f"(line {line})" in read_site(path)[1][0].message


def test_references_and_figures_are_checked_together(tmp_path):
    doc = document()
    doc["assets"][2]["electricity_node"] = "roof"
    doc["assets"][3]["heat_node"] = "chill"
    doc["assets"][0]["contract"] = "fuel"
    doc["assets"][3]["part_load"]["heat_kw"] = [600, 1100]
    doc["assets"][2]["profile"] = "el_mill_kw"
    doc["customers"][0]["consumer"] = "nobody"
    doc["devices"] = [
        {"id": "d1", "asset": "pv", "map": "sunspec_pv", "port": 1502},
        {"id": "d2", "asset": "ghost", "map": "chp", "port": 1502},
    ]
    found = findings_of(tmp_path, doc)
    assert "there is no node roof" in found["assets[pv].electricity_node"]
    assert "node of cold" in found["assets[chp].heat_node"]
    assert "contract for gas" in found["assets[grid].contract"]
    assert "check the units" in found["assets[chp].part_load"]
    assert "does not end in _pu" in found["assets[pv].profile"]
    assert "no consumer asset nobody" in found["customers[mill].consumer"]
    assert "no asset ghost" in found["devices[d2].asset"]
    assert "127.0.0.1:1502" in found["devices"]


def test_a_dangling_network_node_and_a_line_to_nowhere_are_found(tmp_path):
    doc = document()
    doc["nodes"][0]["network"] = "grid_mv"
    doc["networks"] = {
        "electricity": [
            {
                "id": "grid_mv",
                "buses": [{"id": "b1", "vn_kv": 20}],
                "lines": [
                    {
                        "id": "l1",
                        "from_bus": "b1",
                        "to_bus": "b9",
                        "length_km": 1,
                        "r_ohm_per_km": 0.5,
                        "x_ohm_per_km": 0.7,
                        "current_max_ka": 0.1,
                    }
                ],
                "slack_bus": "b1",
            }
        ]
    }
    found = findings_of(tmp_path, doc)
    assert "hangs in the air" in found["nodes[bus].network"]
    assert "names 'b9', which the network does not have" in found["networks.electricity[grid_mv].l1"]


def test_profiles_with_gaps_wrong_steps_and_missing_columns_are_found(tmp_path):
    table = profiles().drop(columns="cold_mill_kw").drop(index=[5])
    table.loc[8, "el_mill_kw"] = float("nan")
    table.loc[9, "heat_mill_kw"] = -3
    found = findings_of(tmp_path, table=table)
    place = "profiles.profiles.csv"
    assert "1 steps are not 3600 s" in found[place]
    assert "2015-01-01 04:00:00 to 2015-01-01 06:00:00" in found[place]
    assert "no such column" in found[f"{place}.cold_mill_kw"]
    assert "1 steps have no number" in found[f"{place}.el_mill_kw"]
    assert "negative" in found[f"{place}.heat_mill_kw"]


def test_a_missing_profile_file_says_where_to_put_it(tmp_path):
    path = write_tiny(tmp_path)
    (tmp_path / "profiles.csv").unlink()
    with pytest.raises(SiteError) as caught:
        load_site(path)
    assert "put it at" in str(caught.value)


def test_a_tariff_with_a_hole_is_found(tmp_path):
    doc = document()
    doc["contracts"][0]["tariff"]["bands"] = doc["contracts"][0]["tariff"]["bands"][1:]
    assert "no price band holds" in findings_of(tmp_path, doc)["contracts[power].tariff.bands"]


def test_a_fleet_that_cannot_be_charged_in_time_is_found(tmp_path):
    doc = document()
    group = {"vehicles": 5, "arrive_h": 9, "depart_h": 10, "energy_kwh": 40}
    doc["assets"].append(
        {"id": "cars", "kind": "ev_fleet", "electricity_node": "bus", "charger_kw": 11, "groups": [group]}
    )
    assert "at most 10.1 kWh" in findings_of(tmp_path, doc)["assets[cars].groups[0].energy_kwh"]


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "a: [1, 2"])
def test_a_file_that_is_no_site_says_so(tmp_path, text):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    site, findings = read_site(path)
    assert site is None
    assert len(findings) == 1


def test_a_key_that_stands_twice_is_found(tmp_path):
    path = write_tiny(tmp_path)
    path.write_text(path.read_text() + "\nname: other\n")
    assert any("stands twice" in f.message for f in read_site(path)[1])


def test_the_schema_accepts_what_the_reader_accepts_and_refuses_unknown_fields():
    schema = json.loads(json.dumps(site_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document() | {"colour": "green"}, schema)
