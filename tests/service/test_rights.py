"""Every route x every role x {own, foreign, missing, no token, expired, revoked}; a route that is not in the table fails."""

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from service.api.access import May
from service.auth.doors import HOME
from service.auth.limits import Limit
from service.auth.roles import MAY, Deed, Role
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from tests.service.apps import here
from tests.service.conftest import NOON, StandingClock, play
from tests.service.people import FOREIGN, PASSWORD, bearer, guarded_app

SITE, TENANT, OBJECT, SELF = "the running site", "rows of a tenant", "one row of a tenant", "oneself"
DISPATCH = {"kind": "dispatch", "day": "2015-07-15"}
SCHEDULE = {"title": "x", "start": "2015-07-15T12:00:00Z", "end": "2015-07-15T13:00:00Z"}
SCHEDULE["setpoints_kw"] = {"battery": [{"at": "2015-07-15T12:00:00Z", "kw": 1}]}
KNOCK = {"name": "nobody", "password": "nothing"}

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

TABLE = {
    # route: (what it takes, what it is about, body)
    "GET /": (Deed.SEE, SITE, None),
    "GET /console/{name}": (Deed.SEE, SITE, None),
    "POST /console/alarms/{alarm_id}/{act}": (Deed.OPERATE, SITE, None),
    "POST /console/commands/{command_id}/confirm": (Deed.OPERATE, SITE, None),
    "GET /api/v1/docs": (Deed.SEE, SITE, None),
    "GET /api/v1/health": (Deed.SEE, SITE, None),
    "GET /api/v1/metrics": (Deed.SEE, SITE, None),
    "GET /api/v1/sites": (Deed.SEE, SITE, None),
    "GET /api/v1/sites/{name}": (Deed.SEE, SITE, None),
    "GET /api/v1/snapshot": (Deed.SEE, SITE, None),
    "GET /api/v1/key-figures": (Deed.SEE, SITE, None),
    "GET /api/v1/flows": (Deed.SEE, SITE, None),
    "GET /api/v1/timeline": (Deed.SEE, SITE, None),
    "GET /api/v1/timeline/{asset}": (Deed.SEE, SITE, None),
    "GET /api/v1/events": (Deed.SEE, SITE, None),
    "GET /api/v1/plans": (Deed.SEE, SITE, None),
    "GET /api/v1/plans/latest": (Deed.SEE, SITE, None),
    "GET /api/v1/plans/{plan_id}": (Deed.SEE, SITE, None),
    "GET /api/v1/receipts": (Deed.SEE, SITE, None),
    "GET /api/v1/commands/waiting": (Deed.SEE, SITE, None),
    "POST /api/v1/commands/{command_id}/confirm": (Deed.OPERATE, SITE, None),
    "GET /api/v1/alarms": (Deed.SEE, SITE, None),
    "POST /api/v1/alarms/{alarm_id}/acknowledge": (Deed.OPERATE, SITE, None),
    "POST /api/v1/alarms/{alarm_id}/shelve": (Deed.OPERATE, SITE, {"hours": 1}),
    "POST /api/v1/alarms/{alarm_id}/unshelve": (Deed.OPERATE, SITE, None),
    "POST /api/v1/jobs": (Deed.STUDY, SITE, DISPATCH),
    "GET /api/v1/jobs": (Deed.STUDY, TENANT, None),
    "GET /api/v1/jobs/{job_id}": (Deed.STUDY, OBJECT, None),
    "GET /api/v1/jobs/{job_id}/result": (Deed.STUDY, OBJECT, None),
    "GET /api/v1/jobs/{job_id}/events": (Deed.STUDY, OBJECT, None),
    "DELETE /api/v1/jobs/{job_id}": (Deed.STUDY, OBJECT, None),
    "POST /api/v1/schedules": (Deed.DRAFT, SITE, SCHEDULE),
    "GET /api/v1/schedules": (Deed.SEE, SITE, None),
    "GET /api/v1/schedules/{schedule_id}": (Deed.SEE, OBJECT, None),
    "POST /api/v1/schedules/{schedule_id}/approve": (Deed.OPERATE, OBJECT, None),
    "POST /api/v1/schedules/{schedule_id}/apply": (Deed.OPERATE, OBJECT, {}),
    "POST /api/v1/schedules/{schedule_id}/cancel": (Deed.OPERATE, OBJECT, None),
    "GET /api/v1/devices": (Deed.SEE, SITE, None),
    "GET /api/v1/devices/{device}": (Deed.SEE, SITE, None),
    "GET /api/v1/forecasts/latest": (Deed.SEE, SITE, None),
    "GET /api/v1/studies": (Deed.STUDY, TENANT, None),
    "GET /api/v1/scenarios": (Deed.STUDY, TENANT, None),
    "GET /api/v1/scenarios/{scenario}": (Deed.STUDY, TENANT, None),
    "GET /api/v1/tenant": (Deed.MANAGE, TENANT, None),
    "PATCH /api/v1/tenant": (Deed.MANAGE, TENANT, {"four_eyes": False}),
    "GET /api/v1/documents": (Deed.SEE, TENANT, None),
    "PUT /api/v1/documents/{kind}/{document}": (Deed.DRAFT, TENANT, None),
    "GET /api/v1/documents/{kind}/{document}": (Deed.SEE, OBJECT, None),
    "DELETE /api/v1/documents/{kind}/{document}": (Deed.DRAFT, OBJECT, None),
    "POST /api/v1/telemetry": (Deed.FEED, TENANT, {"series": [{"tag": "a", "at": [NOON.isoformat()], "value": [1]}]}),
    "GET /api/v1/telemetry/tags": (Deed.SEE, TENANT, None),
    "GET /api/v1/telemetry/means": (Deed.SEE, TENANT, None),
    "GET /api/v1/telemetry/points/{tag}": (Deed.SEE, OBJECT, None),
    "GET /api/v1/trace/{thing_id}": (Deed.SEE, OBJECT, None),
    "GET /api/v1/users": (Deed.MANAGE, TENANT, None),
    "POST /api/v1/users": (Deed.MANAGE, TENANT, {"name": "new", "password": PASSWORD, "roles": ["viewer"]}),
    "GET /api/v1/users/{user_id}": (Deed.MANAGE, OBJECT, None),
    "PATCH /api/v1/users/{user_id}": (Deed.MANAGE, OBJECT, {"disabled": True}),
    "GET /api/v1/keys": (Deed.MANAGE, TENANT, None),
    "POST /api/v1/keys": (Deed.MANAGE, TENANT, {"name": "new", "roles": ["viewer"]}),
    "DELETE /api/v1/keys/{key_id}": (Deed.MANAGE, OBJECT, None),
    "GET /api/v1/audit": (Deed.MANAGE, TENANT, None),
    "GET /api/v1/session": (Deed.BE, SELF, None),
    "DELETE /api/v1/session": (Deed.BE, SELF, None),
    "POST /api/v1/session/totp": (Deed.BE, SELF, None),
    "PUT /api/v1/session/totp": (Deed.BE, SELF, {"secret": "A" * 32, "code": "000000"}),
}
NAMES = {
    "name": "park",
    "asset": "battery",
    "plan_id": "plan-1",
    "alarm_id": "1",
    "act": "acknowledge",
    "kind": "tariff",
    "device": "battery",
    "scenario": "heat_wave",
    "command_id": "c",
}

OWN = {"tag": "own", "document": "own"}


@pytest.fixture
def app(park, inhabited, tmp_path):
    memory = Memory(park)
    play(memory, NOON, 0.25)
    runtime = Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)
    runtime.closing = True  # streams end at once
    app = guarded_app(runtime, inhabited[0], tmp_path)
    app.state.backing.requests = Limit(1e9, 1e9)
    return app


def routes(app):
    found = [c.original_route for c in iter_route_contexts(app.routes) if isinstance(c.original_route, APIRoute)]
    return {f"{m} {r.path}": r for r in found for m in r.methods}


def deeds(route):
    return {d.call.deed for d in route.dependant.dependencies if isinstance(d.call, May)}


def test_every_route_is_in_the_table_and_asks_for_what_stands_there(app):
    found = routes(app)
    assert found.keys() - OPEN == TABLE.keys()
    for name, (deed, _, _) in TABLE.items():
        assert deed in deeds(found[name]), name
    documented = {f"{m.upper()} {p}" for p, ms in app.openapi()["paths"].items() for m in ms}
    assert documented <= TABLE.keys() | OPEN


def asked(http, name, headers, **names):
    method, path = name.split(" ")
    body, about = TABLE[name][2], {k: v for k, v in (NAMES | names).items() if f"{{{k}}}" in path}
    path = path.format(**about)
    if path == "/console/park":
        path = "/console/tiles"
    more = {} if body is None else {"json": body}
    if "/telemetry/" in path:
        more["params"] = {"tag": "own", "start": "2015-07-15T00:00Z", "end": "2015-07-16T00:00Z"}
    sent = headers | {"If-Match": '"1"', "HX-Request": "true"}
    return http.request(method, path, headers=sent, follow_redirects=False, **more).status_code


@pytest.fixture
def own(app, inhabited):
    """One row of each kind that belongs to the home tenant."""
    http = here(app)
    with http:
        operator, admin = (bearer(inhabited[1].keys[HOME, r]) for r in (Role.OPERATOR, Role.ADMIN))
        schedule = http.post("/api/v1/schedules", json=SCHEDULE, headers=operator).json()["id"]
        job = http.post("/api/v1/jobs", json=DISPATCH, headers=operator).json()["id"]
        key = http.post("/api/v1/keys", json={"name": "x", "roles": ["ci"]}, headers=admin).json()["id"]
        new = {"name": "passing", "password": PASSWORD, "roles": ["viewer"]}
        user = http.post("/api/v1/users", json=new, headers=admin).json()["id"]
        own = {"series": [{"tag": "own", "at": [NOON.isoformat()], "value": [1]}]}
        http.post("/api/v1/telemetry", json=own, headers=admin)
        flat = "bands: [{name: flat, price_per_kwh: 0.5, windows: [{start_h: 0, end_h: 24}]}]"
        for version in ({}, {"If-Match": '"1"'}):  # version 1 is gone, so that nobody removes the document
            http.put("/api/v1/documents/tariff/own", content=flat, headers=operator | version)
        yield http, {"thing_id": schedule, "schedule_id": schedule, "job_id": job, "key_id": key, "user_id": user} | OWN


@pytest.mark.usefixtures("quick_hashes")
def test_every_role_gets_what_it_may_and_nothing_else(own, inhabited):
    (http, mine), town = own, inhabited[1]
    wrong = []
    for name, (deed, about, _) in TABLE.items():
        if name == "DELETE /api/v1/session":
            continue
        for role in Role:
            may = deed in MAY[role] and (Deed.SEE in MAY[role] or Deed.SEE not in needed(name))
            home = asked(http, name, bearer(town.keys[HOME, role]), **mine)
            abroad = asked(http, name, bearer(town.keys[FOREIGN, role]), **mine)
            fine = home not in (401, 403) and (about != OBJECT or home != 404) if may else home == 403
            if not fine:
                wrong.append((name, role, "own", home))
            hidden = {SITE: abroad == 404, OBJECT: abroad == 404}.get(about, abroad not in (401, 403, 404))
            if not (hidden if may else abroad == 403):
                wrong.append((name, role, "foreign", abroad))
            if about == OBJECT:
                missing = asked(http, name, bearer(town.keys[HOME, role]), **dict.fromkeys(mine, "none"))
                if missing != (404 if may else 403):
                    wrong.append((name, role, "missing", missing))
    assert wrong == []


def needed(name):
    """What a route's router asks for besides the deed in the table."""
    return {Deed.SEE} if "/alarms/" in name or "/commands/" in name or "/schedules" in name else set()


@pytest.mark.usefixtures("quick_hashes")
def test_nobody_comes_in_without_a_token_that_holds(own, inhabited):
    (http, mine), town = own, inhabited[1]
    unknown = [
        {},
        bearer("jt_wrong"),
        bearer(""),
        {"Authorization": "Basic YTpi"},
        bearer(town.expired),
        bearer(town.revoked),
    ]
    unknown += [{"Cookie": f"jouletwin={s}"} for s in (town.expired_session, town.revoked_session, "none")]
    for name in TABLE:
        expected = 303 if name in ("GET /", "GET /api/v1/docs") else 401
        for headers in unknown:
            assert asked(http, name, headers, **mine) == expected, (name, headers)


def test_foreign_lists_are_empty_of_what_is_ours(own, inhabited):
    (http, mine), town = own, inhabited[1]
    admin, planner = (bearer(town.keys[FOREIGN, r]) for r in (Role.ADMIN, Role.PLANNER))
    listed = [http.get(f"/api/v1/{what}?limit=200", headers=admin).text for what in ("users", "keys", "audit")]
    listed.append(http.get("/api/v1/jobs", headers=planner).text)
    assert not [i for i in mine.values() if any(i in text for text in listed)]
    assert "@home" not in "".join(listed)
