import pytest

from hil.maps.bind import check_devices, rated_kw
from hil.maps.load import load_map, parse_map, read_map
from models.errors import MapError
from models.site import Device

HEAD = "format: jouletwin-map/1\nname: m\ntitle: A device\nsource: made for a test\nkinds: [chp]\npoints:\n"
BEAT = "  - {quantity: heartbeat, address: 0, heartbeat: true}\n"


def findings_of(points, head=HEAD):
    return [str(f) for f in parse_map(head + BEAT + points, "m")[1]]


@pytest.mark.parametrize(
    ("points", "place", "words"),
    [
        ("  - {quantity: heat_kw, address: 5, unit: kW, colour: red}", "points[1] heat_kw.colour", "no such field"),
        (
            "  - {quantity: heat_kw, address: 5, unit: kW, scale: '0.1'}",
            "points[1] heat_kw.scale",
            "written without quotes",
        ),
        (
            "  - {quantity: heat_kw, address: 5, unit: furlong}",
            "points[1] heat_kw.unit",
            "furlong is not a unit known here",
        ),
        (
            "  - {quantity: heat_kw, address: 5, unit: degC}",
            "points[1] heat_kw.unit",
            "unit of something else; expected one of W, kW, MW",
        ),
        (
            "  - {quantity: setpoint_kw, address: 500, unit: kW, access: readwrite}",
            "maps.m",
            "setpoint_kw cannot be read together with the heartbeat",
        ),
        ("  - {quantity: heat_kw, address: 5, unit: kW, type: complex}", "points[1] heat_kw.type", "Input should be"),
        (
            "  - {quantity: heat_kw, address: 5, unit: kW, range: [9, 1]}",
            "points[1] heat_kw.range",
            "9 to 1 holds no number",
        ),
        ("  - {quantity: heat_kw, address: 5, unit: kW, scale: 0}", "points[1] heat_kw.scale", "every value the same"),
        (
            "  - {quantity: heat_kw, address: 70000, unit: kW}",
            "points[1] heat_kw.address",
            "less than or equal to 65535",
        ),
        ("  - {quantity: heat_kw, address: 65535, type: int32, unit: kW}", "points[1] heat_kw", "beyond 65535"),
        ("  - {quantity: heat_kw, address: 5, unit: kW, nan: -1}", "points[1] heat_kw.nan", "expected 0..65535"),
        (
            "  - {quantity: running, address: 5, type: int16, bit: 2}",
            "points[1] running.bit",
            "only a register of type bits",
        ),
        ("  - {quantity: running, address: 5, table: coil}", "points[1] running.type", "its type is bits"),
        (
            "  - {quantity: heat_kw, address: 5, unit: kW, table: input, access: readwrite}",
            "points[1] heat_kw.access",
            "cannot be written",
        ),
        (
            "  - {quantity: heat_kw, address: 5, unit: kW, deadband: 2}",
            "points[1] heat_kw",
            "belong to points that can be written",
        ),
        (
            "  - {quantity: x, address: 5, access: readwrite, also: {y: 1}}",
            "points[1] x.also",
            "y is not a writable point",
        ),
        ("  - {quantity: x, address: 5, access: readwrite, revert_to: 0}", "points[1] x.revert_to", "never reverts"),
        (
            "  - {quantity: x, address: 5, access: readwrite, refresh_s: 10, write_budget_per_day: 100}",
            "x.write_budget_per_day",
            "8640 writes a day",
        ),
        (
            "  - {quantity: a, address: 5, type: float32}\n  - {quantity: b, address: 6}",
            "maps.m.holding",
            "a takes holding 5..6 and b begins at 6",
        ),
        ("  - {quantity: a, address: 5}\n  - {quantity: a, address: 9}", "maps.m", "a is described twice"),
    ],
)
def test_every_mistake_in_a_map_is_named_with_its_place(points, place, words):
    found = findings_of(points)
    assert any(place in f and words in f for f in found), found


def test_all_mistakes_are_found_at_once():
    points = (
        "  - {quantity: a_kw, address: 5, unit: degC, scale: 0, range: [2, 1]}\n  - {quantity: b, address: 5, bit: 1}"
    )
    assert len(findings_of(points)) >= 5


def test_bits_of_one_register_may_share_it():
    points = "  - {quantity: a, address: 5, type: bits, bit: 0}\n  - {quantity: b, address: 5, type: bits, bit: 1}"
    assert findings_of(points) == []


def test_a_hole_with_a_point_in_it_is_a_mistake():
    head = HEAD.replace("points:", "holes: {holding: [[0, 3]]}\npoints:")
    assert any("heartbeat lie in the hole 0..3" in f for f in findings_of("", head))


def test_a_map_without_a_sign_of_life_is_usable_with_a_warning():
    found, findings = parse_map(HEAD + "  - {quantity: a, address: 5}", "m")
    assert found is not None
    assert "frozen values will not be noticed" in str(findings[0])


def test_text_that_is_not_yaml_and_names_without_file_are_findings():
    assert "not YAML" in str(parse_map("a: [", "m")[1][0])
    assert "shipped are absorption_chiller" in str(read_map("nothing_of_that_name")[1][0])
    with pytest.raises(MapError):
        load_map("nothing_of_that_name")


def test_a_map_beside_the_site_file_is_found_by_its_path(tmp_path):
    (tmp_path / "m.yaml").write_text(HEAD + BEAT)
    assert load_map("m.yaml", tmp_path).title == "A device"


def test_devices_are_checked_against_their_assets(small_site):
    site = small_site(
        Device(id="a", asset="chp", map="gas_engine_chp", port=502),
        Device(id="b", asset="battery", map="gas_engine_chp", port=502),
        Device(id="c", asset="nobody", map="gas_engine_chp", port=503, framer="rtu"),
        Device(id="d", asset="grid", map="janitza_umg604", port=503, unit_id=2),
        Device(id="e", asset="battery", map="no_such_map", port=504),
    )
    words = " | ".join(str(f) for f in check_devices(site))
    assert "a, b all answer at 127.0.0.1:502 unit 1" in words
    assert "gas_engine_chp describes chp, but battery is of kind battery" in words
    assert "there is no asset nobody" in words
    assert "127.0.0.1:503 cannot speak both rtu and socket" in words
    assert "there is no such map" in words


def test_a_map_that_lacks_what_the_asset_needs_is_named(small_site, tmp_path):
    text = HEAD.replace("name: m", "name: thin") + BEAT + "  - {quantity: electricity_kw, address: 5, unit: kW}\n"
    (tmp_path / "thin.yaml").write_text(text)
    site = small_site(Device(id="a", asset="chp", map=str(tmp_path / "thin.yaml")))
    words = " | ".join(str(f) for f in check_devices(site))
    assert "has no heat_kw, which chp needs" in words
    assert "has no setpoint_kw, which chp needs" in words


def test_ratings_come_from_the_datasheet(small_site):
    site = small_site()
    assert [rated_kw(a) for a in site.assets] == [500.0, 700.0, 1.0, 1.0]
