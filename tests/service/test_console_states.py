"""Pages of the console in every state of the site: before the first value, with plans, with schedules of every kind, with many alarms."""

from datetime import date, timedelta

import pytest

from customers.lifecycle.project import Milestone, Project
from service.console.dealings import board
from service.console.desks import ADMIN, CUSTOMERS, TRADING
from service.console.endpoints import FRAGMENTS
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from tests.service.apps import here, local_app
from tests.service.conftest import NOON, StandingClock, play
from twin.alarms import Priority

ROOMS = (
    "/",
    "/networks",
    "/schedule",
    "/scenarios",
    "/trading",
    "/devices",
    "/field",
    "/wall",
    "/admin",
    "/api/v1/docs",
)


@pytest.fixture
def site(park):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    return Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)


def opened(http, pages=ROOMS):
    """Ask for pages; return those that could not be shown."""
    return [(p, a.status_code) for p in pages if (a := http.get(p, headers={"Accept": "text/html"})).status_code != 200]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_room_and_part_is_there_before_anything_was_measured(quiet, language):
    http = here(local_app(quiet))
    assert opened(http, [f"{room}?lang={language}" for room in ROOMS]) == []
    assert opened(http, [f"/console/{name}?lang={language}" for name in FRAGMENTS]) == []
    asset = http.get("/schedule").text.split('id="figure-asset" data-chart="')[1].split('"')[0]
    assert http.get(asset.replace("&amp;", "&")).status_code == 200  # what the page draws first is there to be drawn


def test_the_schedule_opens_whatever_state_its_schedules_are_in(site):
    with here(local_app(site)) as http:
        start, end = NOON + timedelta(hours=1), NOON + timedelta(hours=3)
        for state in ("draft", "approved", "applied", "cancelled"):
            body = {"title": state, "start": start.isoformat(), "end": end.isoformat()}
            body["setpoints_kw"] = {"battery": [{"at": start.isoformat(), "kw": 300}]}
            made = http.post("/api/v1/schedules", json=body).json()
            deeds = {"draft": (), "approved": ("approve",), "applied": ("approve", "apply"), "cancelled": ("cancel",)}
            for deed in deeds[state]:
                place = f"/api/v1/schedules/{made['id']}"
                headers = {"If-Match": http.get(place).headers["etag"]}
                more = {"json": {"lease_s": 3600}} if deed == "apply" else {}
                assert http.post(f"{place}/{deed}", headers=headers, **more).status_code == 200, (state, deed)
            assert opened(http, ["/schedule", f"/trace/{made['id']}"]) == [], state
        page = http.get("/schedule?lang=en").text
    assert [f'class="deeds {s}"' in page for s in ("draft", "approved", "applied", "cancelled")] == [True] * 4
    assert "Approve</button>" in page


def test_what_has_just_happened_has_its_chain_before_it_is_in_the_store(site):
    with here(local_app(site)) as http:
        plan, receipt = site.memory.plan.plan, site.memory.receipts()[0]
        text = http.get(f"/trace/{plan.id}?lang=en").text
        assert "twin agrees" in text
        assert text.count("<tr") > 1
        assert 'class="here"' in http.get(f"/trace/{receipt.command.id}").text
        assert http.get("/trace/nothing").status_code == 404


def test_a_study_has_its_page_from_the_moment_it_is_asked_for(quiet):
    with here(local_app(quiet)) as http:
        for body in (
            {"kind": "scenario", "case": "heat_wave"},
            {"kind": "offers", "day": "2015-07-15"},
            {"kind": "sweep", "case": "battery_1mwh"},
        ):
            made = http.post("/api/v1/jobs", json=body)
            assert made.status_code == 202, made.text
            assert opened(http, [f"/studies/{made.json()['id']}"]) == []
        assert opened(http, ["/scenarios", "/trading", "/console/jobs"]) == []


def test_every_alarm_that_waits_is_on_the_page_however_many_there_are(site):
    book = site.memory.alarms
    for number in range(30):
        book.raise_("meter", f"meter_{number}", Priority.MEDIUM, "does not fit", NOON)
    for number in range(5):
        book.raise_("plan", f"bus_{number}", Priority.LOW, "comes near its limit", NOON)
    strip = here(local_app(site)).get("/console/alarms?lang=en").text
    assert [n for n in range(30) if f">meter_{n}</b>" not in strip] == []
    assert [n for n in range(5) if f">bus_{n}</b>" not in strip] == []
    assert strip.index("5 of low priority are held back") < strip.index(">bus_4</b>")


def test_every_list_of_a_room_answers_as_its_page_asks(quiet):
    with here(local_app(quiet)) as http:
        known = http.app.openapi()["paths"]
        paths = [p for p in (*ADMIN, *TRADING, *CUSTOMERS) if "get" in known.get(p, ())]
        assert len(paths) > 25
        asked = {"Accept": "application/json"}
        answers = {p: http.get(f"{p}?limit=200", headers=asked).status_code for p in paths}
        assert {p: status for p, status in answers.items() if status != 200} == {}


def test_a_party_has_a_page_where_its_meter_data_lead_to_a_package(quiet):
    with here(local_app(quiet)) as http:
        made = http.post("/api/v1/parties", json={"name": "Quiet Mill", "roles": ["customer"], "sector": "food"}).json()
        assert f"/customers/parties/{made['id']}" in http.get("/customers").text
        place = f"/customers/parties/{made['id']}?lang=en"
        bare = http.get(place).text
        assert "No meter data yet" in bare
        assert "packages:design" not in bare
        lines = [f"2026-01-{1 + k // 96:02d}T{k % 96 // 4:02d}:{k % 4 * 15:02d}+08:00,10" for k in range(96 * 7)]
        brought = http.put(f"/api/v1/parties/{made['id']}/intervals", content="\n".join(["start,main [kWh]", *lines]))
        assert brought.status_code == 200
        assert "No tariff is kept yet" in http.get(place).text
        assert http.get("/customers/parties/nobody").status_code == 404


def test_positions_are_a_chart_that_says_so_when_there_are_none(quiet):
    with here(local_app(quiet)) as http:
        assert http.get("/console/positions?lang=en").json()["notes"] == [
            "No position yet; positions follow trades and contracts."
        ]
        assert http.get("/console/positions?format=csv").status_code == 200


def test_projects_stand_where_their_milestones_are():
    def project(title, starts_on, *milestones):
        return Project(contract_id="c", title=title, starts_on=starts_on, milestones=milestones)

    today, before, later = date(2026, 5, 1), date(2026, 4, 1), date(2026, 6, 1)
    known = [
        project("soon", later),
        project("built", before, Milestone(name="roof", due_on=later)),
        project("slow", before, Milestone(name="roof", due_on=before)),
        project("over", before, Milestone(name="roof", due_on=before, reached_on=before)),
    ]
    found = {k: [p.title for p, _ in v] for k, v in board(known, today).items()}
    assert found == {"planned": ["soon"], "running": ["built"], "late": ["slow"], "done": ["over"]}
