"""Alarms through the interface and on the page: what waits, who has seen it, what is put aside."""

from datetime import timedelta

import pytest

from hil.bridge import DeviceBack, DeviceLost
from models.findings import warning
from models.ports import Quality, Reading
from scenarios.events import Fault, PlantTracked, SnapshotTaken
from service.hearing import Hearing
from tests.service.apps import here, local_app
from tests.service.conftest import NOON
from twin.alarms import AlarmState, Priority
from twin.watch import Verdict


@pytest.fixture
def service(quiet, running):
    quiet.memory.take_snapshot(running.memory.snapshot)
    return here(local_app(quiet)), Hearing(quiet.memory), quiet.memory.alarms


def lose(hear, device="battery"):
    hear.bridge(DeviceLost(NOON, device, "no answer for 3 polls; is the device on?"))


def test_a_lost_device_is_an_alarm_until_it_is_back_and_somebody_has_seen_it(service):
    http, hear, _ = service
    assert http.get("/api/v1/alarms").json() == {"flooded": False, "items": [], "next": None}
    lose(hear)
    (alarm,) = http.get("/api/v1/alarms").json()["items"]
    assert (alarm["place"], alarm["state"], alarm["priority"]) == ("battery", "unacknowledged", 1)
    hear.bridge(DeviceBack(NOON, "battery", "answers again"))
    assert http.get("/api/v1/alarms").json()["items"][0]["state"] == "returned"
    seen = http.post(f"/api/v1/alarms/{alarm['id']}/acknowledge")
    assert (seen.status_code, seen.json()["by"]) == (200, "local")
    assert http.get("/api/v1/alarms").json()["items"] == []


def test_shelving_needs_hours_and_can_be_taken_back(service):
    http, hear, _ = service
    lose(hear, "hotel")
    (alarm,) = http.get("/api/v1/alarms").json()["items"]
    assert alarm["priority"] == 2  # a meter is not commanded
    place = f"/api/v1/alarms/{alarm['id']}"
    assert http.post(f"{place}/shelve", json={"hours": 13}).status_code == 422
    assert http.post(f"{place}/shelve", json={}).status_code == 422
    shelved = http.post(f"{place}/shelve", json={"hours": 2}).json()
    assert shelved["state"] == "shelved"
    assert shelved["shelved_until"] is not None
    assert http.post(f"{place}/unshelve").json()["state"] == "unacknowledged"
    missing = http.post("/api/v1/alarms/999/acknowledge")
    assert missing.status_code == 404
    assert "lists those that do" in missing.json()["detail"]


def test_the_page_shows_the_strip_in_both_languages_and_only_its_own_buttons_act(service):
    http, hear, book = service
    assert "No alarm stands" in http.get("/console/alarms?lang=en").text
    lose(hear)
    page = http.get("/?lang=zh").text
    assert "报警" in page
    assert "is the device on?" in page
    alarm = book.standing()[0].id
    assert http.post(f"/console/alarms/{alarm}/acknowledge").status_code == 403
    assert http.post(f"/console/alarms/{alarm}/explode", headers={"HX-Request": "true"}).status_code == 422
    strip = http.post(f"/console/alarms/{alarm}/acknowledge?lang=en", headers={"HX-Request": "true"})
    assert "seen" in strip.text
    assert book.standing()[0].state is AlarmState.ACKNOWLEDGED


def test_the_quality_of_a_device_raises_and_returns_its_alarm_without_the_bridge(service, running):
    _, hear, book = service
    snapshot = running.memory.snapshot

    def shown(quality, minute):
        at = NOON + timedelta(minutes=minute)
        hear.loop(SnapshotTaken(at, snapshot, [Reading("wind", "electricity_kw", 1.0, at, at, quality)]))
        return [(a.place, a.state.value) for a in book.standing()]

    assert shown(Quality.GOOD, 0) == []
    assert shown(Quality.STALE, 1) == [("wind", "unacknowledged")]
    assert shown(Quality.UNCERTAIN, 2) == [("wind", "unacknowledged")]
    assert shown(Quality.GOOD, 3) == [("wind", "returned")]


def test_what_was_read_before_a_device_was_lost_or_back_says_nothing_about_it_any_more(service, running):
    _, hear, book = service
    snapshot = running.memory.snapshot

    def turn(quality, second):
        """A turn of the loop whose readings were taken a while before the bridge spoke."""
        at = NOON + timedelta(seconds=second)
        hear.loop(SnapshotTaken(at, snapshot, [Reading("battery", "electricity_kw", 1.0, at, at, quality)]))
        return [(a.state.value, a.times) for a in book.standing()]

    lose(hear)
    assert turn(Quality.GOOD, -1) == [("unacknowledged", 1)]
    book.acknowledge(book.standing()[0].id, "li", NOON)
    assert turn(Quality.GOOD, 0) == [("acknowledged", 1)]
    assert turn(Quality.BAD, 5) == [("acknowledged", 1)]
    hear.bridge(DeviceBack(NOON + timedelta(seconds=9), "battery", "answers again"))
    assert turn(Quality.BAD, 8) == []
    assert turn(Quality.GOOD, 10) == []


def test_meters_that_lie_units_that_do_not_follow_and_broken_turns_have_alarms_of_their_own(service, running):
    _, hear, book = service
    verdict = Verdict(NOON, True, {"boiler1.heat_kw": 120.0}, (("boiler1", "heat_kw"),), ())
    hear.alarms.verdict(verdict)
    hear.loop(PlantTracked(NOON, (warning("chp1", "told 700 kW and does 0 kW"),), None))
    hear.loop(Fault(NOON, "loop", "the turn broke off"))
    assert {(a.source, a.place, a.priority) for a in book.standing()} == {
        ("meter", "boiler1.heat_kw", Priority.MEDIUM),
        ("follow", "chp1", Priority.MEDIUM),
        ("loop", "loop", Priority.HIGH),
    }
    hear.alarms.verdict(Verdict(NOON, True, {}, (), ()))
    hear.loop(PlantTracked(NOON, (), None))
    hear.loop(SnapshotTaken(NOON, running.memory.snapshot, ()))
    assert {a.state for a in book.standing()} == {AlarmState.RETURNED}


def test_every_step_of_an_alarm_goes_to_the_stream(service):
    _, hear, book = service
    lose(hear)
    book.acknowledge(book.standing()[0].id, "li", NOON)
    told = [e.data for e in hear.memory.events.after(0) if e.kind == "alarm"]
    assert [t["act"] for t in told] == ["raised", "acknowledged"]
