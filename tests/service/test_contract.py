"""The interface keeps what its own description promises: schemathesis asks every route, in bounds, over a real connection."""

import asyncio
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from service.auth.doors import HOME, ensure_tenant
from service.auth.limits import Limit
from service.auth.people import make_key, make_user
from service.auth.roles import Principal, Role
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.store.engine import Store
from service.web import Web, listening_socket
from tests.service.apps import local_app
from tests.service.conftest import NOON, StandingClock, play
from tests.service.people import FOREIGN, PASSWORD

ASKED = "--checks all --phases examples,fuzzing --max-examples 2 --workers 1 --seed 1 --no-color --request-timeout 10"
ASKED += " --exclude-path-regex session|setup --exclude-checks unsupported_method,positive_data_acceptance"
"""Any method is tried by the tests of the interface; a business "no" (412, 428, findings) to well-formed data is meant."""
FOLLOWED = "--checks not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance,ignored_auth"
FOLLOWED += ",ensure_resource_availability,object_level_authorization --phases stateful --max-examples 8"
FOLLOWED += " --workers 1 --seed 1 --no-color --request-timeout 10 --exclude-path-regex session|setup"
"""Sequences in which one request goes on from the answer of another: made, read, changed, and asked for by somebody else.

What is ended by DELETE, a job or a key, is shown on: use_after_free would take that for a fault.
"""
PEERS = """
[auth.wfc]
path = "auth.json"
user = "home"
peers = ["home", "foreign"]
"""


@pytest.fixture
def served(park, monkeypatch):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    runtime = Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)
    app = local_app(runtime)
    app.state.backing.requests, app.state.backing.local = Limit(1e9, 1e9), False
    web = Web(app, runtime, listening_socket("127.0.0.1", 0))
    web.start()
    runtime.closing = True  # streams end at once
    backing = app.state.backing
    yield web.address, asyncio.run(keys_for_everything(backing.store.url, backing.passwords))
    web.stop()


async def keys_for_everything(url, passwords):
    """A key of each of two tenants that may do everything there."""
    store, secrets = Store(url), {}
    for name, tenant in (("home", HOME), ("foreign", FOREIGN)):
        await ensure_tenant(store, tenant)
        who = Principal(tenant, "founder", frozenset(Role))
        await make_user(store, passwords, who, f"{name} admin", PASSWORD, [Role.ADMIN])
        _, secrets[name] = await make_key(store, who, "everything", list(Role), None)
    await store.close()
    return secrets


@pytest.mark.usefixtures("quick_hashes")
def test_no_request_that_can_be_described_finds_a_fault(served, tmp_path):
    address, secrets = served
    done = ran(address, tmp_path, "-H", f"Authorization: Bearer {secrets['home']}", *ASKED.split())
    assert int(re.search(r"Tested: (\d+)", done.stdout)[1]) >= 55


@pytest.mark.usefixtures("quick_hashes")
def test_no_sequence_of_requests_finds_a_fault_or_somebody_elses_object(served, tmp_path):
    address, secrets = served
    entries = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {secret}"}]}
        for name, secret in secrets.items()
    ]
    (tmp_path / "auth.json").write_text(json.dumps({"auth": entries}))
    (tmp_path / "schemathesis.toml").write_text(PEERS)
    done = ran(address, tmp_path, *FOLLOWED.split())
    assert "will not run" not in done.stdout + done.stderr, done.stdout[-60000:]


def ran(address, folder, *words):
    """What schemathesis says when it finds nothing."""
    program = Path(sys.executable).parent / "st"
    command = [program, "run", f"{address}api/v1/openapi.json", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-60000:] + done.stderr[-2000:]
    return done
