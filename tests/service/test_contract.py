"""The interface keeps what its own description promises: schemathesis asks every route, in bounds, over a real connection."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from service.auth.doors import HOME
from service.auth.limits import Limit
from service.auth.people import make_key, make_user
from service.auth.roles import Principal, Role
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.store.engine import Store
from service.web import Web, listening_socket
from tests.service.apps import local_app
from tests.service.conftest import NOON, StandingClock, play
from tests.service.people import PASSWORD

ASKED = "--checks all --phases examples,fuzzing --max-examples 2 --workers 1 --seed 1 --no-color --request-timeout 10"
ASKED += " --exclude-path-regex session|setup --exclude-checks unsupported_method,positive_data_acceptance"
"""Any method is tried by the tests of the interface; a business "no" (412, 428, findings) to well-formed data is meant."""


@pytest.fixture
def served(park, monkeypatch):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    runtime = Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)
    app = local_app(runtime)
    app.state.backing.requests = Limit(1e9, 1e9)
    web = Web(app, runtime, listening_socket("127.0.0.1", 0))
    web.start()
    runtime.closing = True  # streams end at once
    yield web.address, asyncio.run(key_for_everything(app.state.backing.store.url, app.state.backing.passwords))
    web.stop()


async def key_for_everything(url, passwords):
    store = Store(url)
    who = Principal(HOME, "founder", frozenset(Role))
    await make_user(store, passwords, who, "admin", PASSWORD, [Role.ADMIN])
    _, secret = await make_key(store, who, "everything", list(Role), None)
    await store.close()
    return secret


@pytest.mark.usefixtures("quick_hashes")
def test_no_request_that_can_be_described_finds_a_fault(served, tmp_path):
    address, secret = served
    program = Path(sys.executable).parent / "st"
    done = subprocess.run(
        [program, "run", f"{address}api/v1/openapi.json", "-H", f"Authorization: Bearer {secret}", *ASKED.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Tested: 4" in done.stdout
