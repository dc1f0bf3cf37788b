"""Every route x every role x {own, foreign, missing, no token, expired, revoked}, from the routes themselves and the examples of their description.

A new resource needs one line in `deeds.py`, which says who may come in; its rows are made by the POST on its list.
"""

import pytest

from service.auth.doors import HOME
from service.auth.limits import Limit
from service.auth.roles import MAY, Deed, Role
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from tests.service.apps import here, local_app
from tests.service.conftest import NOON, StandingClock, play
from tests.service.deeds import EXPECTED
from tests.service.people import FOREIGN, bearer, guarded_app
from tests.service.routes import About, Examples, Maker, doors

OPEN = {
    "GET /login",
    "POST /login",
    "GET /setup",
    "POST /setup",
    "POST /logout",
    "GET /static/{path:path}",
    "POST /api/v1/session",
    "GET /api/v1/session/oidc",
    "GET /api/v1/session/oidc/callback",
    "POST /api/v1/setup",
    "GET /api/v1/health/live",
    "GET /api/v1/health/ready",
}
"""Routes for everybody: coming in, going out, and what is the same for all."""
MANAGED = ("/api/v1/users", "/api/v1/keys", "/api/v1/audit", "/api/v1/tenant")
KNOWN = {
    "alarm_id": "1",
    "act": "acknowledge",
    "asset": "battery",
    "command_id": "c",
    "device": "battery",
    "document": "own",
    "kind": "tariff",
    "name": "park",
    "plan_id": "plan-1",
    "scenario": "heat_wave",
    "tag": "own",
}
"""What stands in braces where no POST on a list makes it."""
COUNTED = {"settlement_run_id"}
"""Numbered within a tenant: asked for before the other tenant has any of its own, as the number of one of ours may then be one of theirs."""
CHOSEN = {"/api/v1/documents/{kind}/{document}", "/api/v1/tariffs/{tariff_id}", "/api/v1/devices/{device}"}
"""What a PUT makes under a name of one's own choice; every other PUT is about what is there."""
PAGES = {"/console/{name}": {"name": "tiles"}}
FLAT = "bands: [{name: flat, price_per_kwh: 0.5, windows: [{start_h: 0, end_h: 24}]}]"


@pytest.fixture(scope="module")
def drawn(park):
    """An application that nobody enters, with its description drawn up once."""
    app = local_app(Runtime(Memory(park), StandingClock(NOON), PlantKind.EMULATED, 144.0))
    app.openapi()
    return app


@pytest.fixture
def app(park, inhabited, tmp_path, drawn):
    memory = Memory(park)
    play(memory, NOON, 0.25)
    runtime = Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)
    runtime.closing = True  # streams end at once
    app = guarded_app(runtime, inhabited[0], tmp_path)
    app.state.backing.requests = Limit(1e9, 1e9)
    app.openapi_schema = drawn.openapi_schema
    return app


@pytest.fixture
def maker(app, inhabited):
    """Who asks, and makes rows of the home tenant where a route is about one."""
    keys, http = inhabited[1].keys, here(app)
    with http:
        made = Maker(http, app, lambda role: bearer(keys[HOME, role]), KNOWN)
        own = {"series": [{"tag": "own", "at": [NOON.isoformat()], "value": [1]}]}
        http.post("/api/v1/telemetry", json=own, headers=bearer(keys[HOME, Role.ADMIN]))
        for version in ({}, {"If-Match": '"1"'}):  # version 1 is gone, so that nobody removes the document
            http.put("/api/v1/documents/tariff/own", content=FLAT, headers=bearer(keys[HOME, Role.OPERATOR]) | version)
        made.know("thing_id", made.names(made.doors["GET /api/v1/schedules/{schedule_id}"])["schedule_id"])
        run = made.names(made.doors["GET /api/v1/billing-runs/{billing_run_id}"])["billing_run_id"]
        told = http.get(f"/api/v1/billing-runs/{run}", headers=bearer(keys[HOME, Role.ADMIN])).json()
        made.know("bill_id", told["bills"][0])
        yield made


def test_every_route_asks_for_what_is_written_down(drawn):
    found = doors(drawn)
    asked = {name: door.deeds for name, door in found.items() if name not in OPEN}
    assert asked == EXPECTED
    assert found.keys() - EXPECTED.keys() == OPEN
    for name in OPEN:
        assert not found[name].deeds, name
    for name, door in found.items():
        if door.route.path.startswith("/api/") and name != "GET /api/v1/docs":
            assert door.told is not None, f"{name} is not described"


def test_every_field_that_must_be_sent_has_an_example(drawn):
    examples, missing = Examples(drawn.openapi()), []
    for name, door in doors(drawn).items():
        for asked in (examples.body, examples.questions):
            try:
                asked(door.told)
            except LookupError as fault:
                missing.append(f"{name}: {fault}")
    assert missing == []


def test_who_may_only_look_changes_nothing_and_who_manages_is_asked_for_it(drawn):
    for name, door in doors(drawn).items():
        if name not in OPEN and door.about is not About.SELF and door.method != "GET":
            assert not door.may(Role.VIEWER), name
        if door.route.path.startswith(MANAGED):
            assert Deed.MANAGE in door.deeds, name


@pytest.mark.usefixtures("quick_hashes")
def test_every_role_gets_what_it_may_and_nothing_else(maker, inhabited):
    keys = inhabited[1].keys
    wrong = []
    for name, door in sorted(maker.doors.items(), key=lambda d: not COUNTED & set(d[1].fields)):
        if name in OPEN or name == "DELETE /api/v1/session":
            continue
        pages = PAGES.get(door.route.path, {})
        for role in Role:
            may = door.may(role)
            foreign = maker.ask(door, bearer(keys[FOREIGN, role]), **pages).status_code
            if foreign != 403 if not may else not fits(maker, door, foreign):
                wrong.append((name, role, "foreign", foreign))
            if door.about is About.OBJECT and not chosen(door):
                none = dict.fromkeys(set(door.fields) - KNOWN.keys() or door.fields[-1:], "none")
                missing = maker.ask(door, bearer(keys[HOME, role]), **none).status_code
                if missing != (404 if may else 403):
                    wrong.append((name, role, "missing", missing))
            if may and door.method == "DELETE":
                maker.names(door, anew=True)
            home = maker.ask(door, bearer(keys[HOME, role]), **pages).status_code
            refused = (401, 403, 404) if door.about is About.OBJECT and maker.there(door) else (401, 403)
            if home in refused if may else home != 403:
                wrong.append((name, role, "own", home))
    assert wrong == [], wrong


def chosen(door):
    return door.method == "PUT" and door.route.path in CHOSEN


def fits(maker, door, foreign):
    """Whether an answer to somebody of another tenant, who may do such things there, hides what is ours."""
    if chosen(door):
        return foreign not in (401, 403)  # what is made or refused is theirs
    if door.about in (About.SITE, About.OBJECT):
        return foreign == 404
    if maker.names_rows(door):
        return 400 <= foreign < 500 and foreign not in (401, 403)  # what it names is ours
    return foreign not in (401, 403) and (foreign != 404 or door.names_things)


@pytest.mark.usefixtures("quick_hashes")
def test_nobody_comes_in_without_a_token_that_holds(maker, inhabited):
    town = inhabited[1]
    unknown = [{}, *map(bearer, ("jt_wrong", "", town.expired, town.revoked)), {"Authorization": "Basic YTpi"}]
    unknown += [{"Cookie": f"jouletwin={s}"} for s in (town.expired_session, town.revoked_session, "none")]
    for name, door in maker.doors.items():
        if name in OPEN:
            continue
        to_login = door.told is None and door.method == "GET" and not door.route.path.startswith("/console/")
        for headers in unknown:
            assert maker.ask(door, headers).status_code == (303 if to_login else 401), (name, headers)


def test_foreign_lists_are_empty_of_what_is_ours(maker, inhabited):
    keys = inhabited[1].keys
    named = {maker.names(d)[f] for d in maker.doors.values() if d.about is About.OBJECT for f in d.fields}
    ours = named - {*KNOWN.values(), "none"}
    assert len(ours) >= 4
    for name, door in maker.doors.items():
        if door.method == "GET" and door.about in (About.TENANT, About.SITE) and name not in OPEN:
            role = next(r for r in Role if door.may(r))
            listed = maker.ask(door, bearer(keys[FOREIGN, role])).text
            assert not [i for i in ours if f'"{i}"' in listed], name
            assert "@home" not in listed, name


def test_roles_are_what_the_documentation_says():
    assert MAY[Role.CI] == {Deed.BE, Deed.STUDY}
    assert not MAY[Role.ADMIN] & {Deed.OPERATE, Deed.DRAFT}
