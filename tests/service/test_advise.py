"""In the mode advise commands wait for an operator, on the page and over the interface."""

from datetime import timedelta

import pytest

from hil.bridge import ConfirmationWanted, FrameShadowed, Mode
from models.ports import Command, Outcome, Receipt
from service.hearing import Hearing
from service.memory import Memory
from service.operation import settings_for
from service.runtime import PlantKind, Runtime
from tests.service.apps import here, local_app
from tests.service.conftest import NOON, StandingClock, play


class Desk:
    """One command that waits for a yes."""

    def __init__(self, runtime):
        self.runtime = runtime
        now = runtime.clock.now()
        self.commands = {
            "c7": Command("c7", "battery", "setpoint_kw", 120.0, now, "operating loop", now + timedelta(minutes=30))
        }
        self.said_yes = []

    def waiting(self):
        return tuple(self.commands.values())

    def confirm(self, command_id, operator):
        command = self.commands.pop(command_id)
        self.said_yes.append((command_id, operator))
        receipt = Receipt(command, Outcome.APPLIED, "applied", "reads 120", self.runtime.clock.now(), 120.0)
        self.runtime.memory.take_receipts((receipt,))
        return receipt


@pytest.fixture
def advised(park):
    memory = Memory(park)  # its own: what is confirmed here is nothing that other tests have seen
    rehearsal = play(memory, NOON - timedelta(hours=1), 1)
    runtime = Runtime(memory, StandingClock(rehearsal.at), PlantKind.EMULATED, 144.0, mode=Mode.ADVISE)
    runtime.desk = Desk(runtime)
    waits = Receipt(
        runtime.desk.commands["c7"], Outcome.NO, "waiting", "waits for an operator's confirmation", runtime.clock.now()
    )
    runtime.memory.take_receipts((waits,))
    return runtime


def test_what_waits_is_listed_and_carried_out_once(advised):
    http = here(local_app(advised))
    listed = http.get("/api/v1/commands/waiting").json()
    assert (listed["mode"], [c["id"] for c in listed["items"]]) == ("advise", ["c7"])
    done = http.post("/api/v1/commands/c7/confirm")
    assert (done.status_code, done.json()["outcome"], done.json()["read_back"]) == (200, "applied", 120.0)
    assert advised.desk.said_yes == [("c7", "local")]
    again = http.post("/api/v1/commands/c7/confirm")
    assert (again.status_code, "c7 waits any more" in again.json()["detail"]) == (404, True)
    assert http.get("/api/v1/commands/waiting").json()["items"] == []


def test_the_page_shows_the_mode_and_a_button_for_what_waits(advised):
    http = here(local_app(advised))
    assert ">every set-point waits for you<" in http.get("/?lang=en").text
    assert "/console/commands/c7/confirm" in http.get("/console/commands").text
    assert http.post("/console/commands/c7/confirm").status_code == 403
    after = http.post("/console/commands/c7/confirm?lang=en", headers={"HX-Request": "true"})
    assert advised.desk.said_yes == [("c7", "local")]
    assert "/console/commands/c7/confirm" not in after.text


def test_where_nothing_waits_there_is_nothing_to_confirm(running):
    http = here(local_app(running))
    assert http.get("/api/v1/commands/waiting").json() == {"mode": "auto", "items": [], "next": None}
    assert http.post("/api/v1/commands/c7/confirm").status_code == 404
    assert ">every set-point waits for you<" not in http.get("/?lang=en").text


def test_a_plant_that_is_told_nothing_is_not_planned_without(park, running):
    """It stays as it was for want of a command; that is no reason for a new plan."""
    tracked = [settings_for(Runtime(Memory(park), running.clock, PlantKind.DEVICES, mode=m)).tracked for m in Mode]
    assert dict(zip(Mode, tracked, strict=True)) == {m: m is Mode.AUTO for m in Mode}


def test_shown_frames_and_waiting_commands_are_no_faults(park, running):
    hearing, at = Hearing(Memory(park)), running.clock.now()
    hearing.bridge(ConfirmationWanted(at, "battery", "waits", "c7"))
    hearing.bridge(FrameShadowed(at, "battery", "would send", "c7", b"\0"))
    assert hearing.memory.events.after(0) == []
