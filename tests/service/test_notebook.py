"""The notebook of the client: its cells run from top to bottom against a service over a real connection."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.web import Web, listening_socket
from tests.service.apps import local_app
from tests.service.conftest import NOON, StandingClock, play

NOTEBOOK = Path(__file__).parents[2] / "docs" / "client.ipynb"


@pytest.fixture
def address(park):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    runtime = Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)
    web = Web(local_app(runtime), runtime, listening_socket("127.0.0.1", 0))
    web.start()
    yield web.address
    web.stop()


def test_every_cell_does_what_the_notebook_says(address, monkeypatch, capsys):
    monkeypatch.setenv("JOULETWIN_ADDRESS", address)
    monkeypatch.setenv("JOULETWIN_PATIENCE_S", "0.3")  # nobody works here
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert all(not cell.get("outputs") for cell in document["cells"])
    known = {}
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), known)  # noqa: S102 # our own document
    assert known["means"].series[0].count == [15, 15, 15, 15]
    assert [f.place for f in known["refused"].findings] == ["series.0.tag"]
    assert (known["applied"].state, known["cancelled"].state) == ("applied", "cancelled")
    assert [e.action for e in known["trace"].record][-1] == "schedule.applied"
    assert known["job"].state == "cancelled"
    assert "points, means" in capsys.readouterr().out
