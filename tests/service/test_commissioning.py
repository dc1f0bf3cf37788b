"""Devices put into service and taken out while the site runs: judged, read, kept, and given to the loop."""

from dataclasses import replace

import pytest

from models.errors import SetupError
from models.ports import Quality, Reading
from models.site import Device
from service.commissioning import Commission, take_up, with_devices
from service.memory import Memory
from service.runtime import PlantKind, Runtime, unrenewed
from tests.service.apps import here, local_app
from tests.service.meters import MAP, small_meter

PLACE = "/api/v1/devices/billing_power"


@pytest.fixture
def meter():
    with small_meter() as found:
        yield found


@pytest.fixture
def wanted(meter):
    return {"asset": "billing_power", "host": "127.0.0.1", "port": meter.port, "poll_s": 5, "map": MAP}


@pytest.fixture
def turned(running):
    """The site with a loop that takes what it is given, and what it was given."""
    given = []

    def renew(site):
        given.append(site)
        running.memory.site = site
        at = running.memory.snapshot.at
        new = [d.id for d in site.devices if d not in running.written.devices]
        running.memory.readings = {d: [Reading(d, "electricity_kw", 321.5, at, at, Quality.GOOD)] for d in new}

    before = running.memory.site, running.renew
    running.renew = renew
    yield given
    running.memory.site, running.renew = before
    running.memory.readings = {}


@pytest.fixture
def app(running):
    return local_app(running)


@pytest.fixture
def http(app, turned):
    with here(app) as found:
        yield found


def test_a_device_goes_live_and_leaves_again(http, running, turned, wanted):
    made = http.put(PLACE, json=wanted)
    assert made.status_code == 201, made.text
    assert (made.json()["map"], made.json()["added"]) == ("small_meter", True)
    assert [d.id for d in turned[-1].devices][-1] == "billing_power"
    told = http.get(PLACE).json()["values"]
    assert told == made.json()["values"]
    assert [(v["quantity"], v["value"], v["quality"], v["age_s"]) for v in told] == [
        ("electricity_kw", 321.5, "good", 0.0)
    ]
    assert http.put(PLACE, json=wanted | {"poll_s": 100}).status_code == 200
    assert turned[-1].devices[-1].poll_s == 100
    kept = http.get("/api/v1/documents?kind=device").json()["items"]
    assert [(d["name"], d["version"]) for d in kept] == [("billing_power", 2)]
    assert http.delete(PLACE).status_code == 200
    assert [d.id for d in turned[-1].devices] == [d.id for d in running.written.devices]
    assert http.delete(PLACE).status_code == 404
    acts = [e["action"] for e in http.get("/api/v1/audit").json()["items"] if "billing_power" in e["thing"]]
    assert sorted(acts) == ["document.kept", "document.kept", "document.removed"]


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"map": "nothing: here"}, 422, "missing"),
        ({"asset": "none"}, 422, "there is no asset none"),
        ({"asset": "grid"}, 422, "one asset has one device"),
        ({"map": MAP.replace("[meter]", "[battery]")}, 422, "describes battery"),
        ({"map": MAP.replace("address: 10", "address: 20")}, 422, "refused with exception 0x02"),
        ({"map": MAP.replace("[-9000, 9000]", "[0, 1]")}, 422, "outside 0 to 1"),
        ({"map": MAP.replace("electricity_kw", "voltage_pu").replace("kW", "pu")}, 422, "electricity_kw"),
        ({"port": 1}, 409, "Is the device on"),
    ],
)
def test_what_cannot_be_read_changes_nothing(http, turned, wanted, changed, status, words):
    answer = http.put(PLACE, json=wanted | changed)
    assert answer.status_code == status
    assert words in answer.text
    assert turned == []
    assert http.get("/api/v1/documents?kind=device").json()["items"] == []


def test_a_device_is_no_document_that_anybody_writes(http, wanted):
    assert "reads it first" in http.put("/api/v1/documents/device/x", content="a: 1").text
    http.put(PLACE, json=wanted)
    answer = http.delete("/api/v1/documents/device/billing_power", headers={"If-Match": '"1"'})
    assert (answer.status_code, "reads it first" in answer.text) == (409, True)


def test_a_service_that_starts_again_has_its_devices_and_tells_of_those_that_no_longer_fit(
    app, http, park, running, wanted
):
    http.put(PLACE, json=wanted)
    again = Runtime(Memory(park), running.clock, PlantKind.DEVICES)
    take_up(again, app.state.backing)
    assert again.site.devices[-1].id == "billing_power"
    bare = replace(park, assets=tuple(a for a in park.assets if a.id != "billing_power"))
    without = Runtime(Memory(bare), running.clock, PlantKind.DEVICES)
    take_up(without, app.state.backing)
    assert without.site is bare
    told = [(e.kind, e.data["place"]) for e in without.memory.events.after(0)]
    assert told == [("fault", "billing_power")]


def test_one_device_takes_the_place_of_another(park):
    moved = replace(park.devices[0], host="10.0.0.9", port=1502)
    site = with_devices(park, [moved])
    assert site.devices[0] == moved
    assert site.devices[1:] == park.devices[1:]


def test_nothing_is_put_into_service_where_no_loop_runs(park):
    with pytest.raises(SetupError, match="no loop"):
        unrenewed(park)


def test_what_is_kept_says_the_same_when_it_is_read(tmp_path):
    commission = Commission(asset="billing_power", host="10.0.0.9", map=MAP)
    again = Commission.read(commission.written())
    assert again == commission
    found = again.device("billing_power", tmp_path)
    assert isinstance(found, Device)
    assert found.map.endswith("small_meter.yaml")
