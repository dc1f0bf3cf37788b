"""Schedules from a draft to what their commands became: approval, four eyes, leases, versions, conflicts, restarts, the trace."""

import asyncio
from datetime import timedelta

import pytest

from models.ports import Outcome, Receipt
from service.auth.doors import HOME, ensure_tenant
from service.auth.roles import Role
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.schedules.carrying import AGAIN, Carrier
from service.schedules.keeping import Keeping
from service.schedules.orders import Order
from service.store.audit import verify
from service.store.engine import Store
from service.telemetry.points import Points, at_us
from tests.service.apps import here
from tests.service.conftest import NOON, StandingClock, play
from tests.service.people import bearer, guarded_app

START = NOON + timedelta(hours=1)
END = START + timedelta(hours=2)


@pytest.fixture
def site(park):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    return Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)


@pytest.fixture
def app(site, inhabited, tmp_path):
    return guarded_app(site, inhabited[0], tmp_path)


class Desk:
    """Somebody with a key, and a form that fills itself in."""

    def __init__(self, http, secret):
        self.http, self.headers = http, bearer(secret)

    def draft(self, **more):
        wanted = {"title": "noon", "start": START.isoformat(), "end": END.isoformat(), **more}
        wanted.setdefault("setpoints_kw", {"battery": [{"at": START.isoformat(), "kw": 300}]})
        return self.http.post("/api/v1/schedules", json=wanted, headers=self.headers)

    def act(self, drafted, deed, tag=None, **body):
        place = f"/api/v1/schedules/{drafted.json()['id']}"
        tag = tag or self.http.get(place, headers=self.headers).headers["etag"]
        more = {"json": body} if deed == "apply" else {}
        return self.http.post(f"{place}/{deed}", headers=self.headers | {"If-Match": tag}, **more)


@pytest.fixture
def desk(app, inhabited):
    with here(app) as http:
        yield lambda role: Desk(http, inhabited[1].keys[HOME, role])


def ask_four_eyes(url):
    async def run():
        store = Store(url)
        await ensure_tenant(store, four_eyes=True)
        await store.close()

    asyncio.run(run())


def test_a_schedule_goes_from_a_draft_into_force_and_out_again(desk, site, inhabited):
    planner, operator = desk(Role.PLANNER), desk(Role.OPERATOR)
    drafted = planner.draft()
    assert (drafted.status_code, drafted.json()["state"], drafted.headers["etag"]) == (201, "draft", '"1"')
    assert operator.act(drafted, "apply").status_code == 409
    assert planner.act(drafted, "approve").status_code == 403
    assert operator.act(drafted, "approve").json()["approved_by"] == "key operator"
    site.clock.instant = START
    applied = operator.act(drafted, "apply", lease_s=3600)
    assert applied.json()["lease_until"].startswith((START + timedelta(hours=1)).isoformat()[:16])
    (order,) = site.orders.current()
    assert order.setpoints_kw(START) == {"battery": 300.0}
    assert order.setpoints_kw(START + timedelta(hours=1)) == {}
    site.clock.instant = START + timedelta(minutes=30)
    renewed = operator.act(drafted, "apply", lease_s=86400).json()
    assert renewed["lease_until"].startswith(END.isoformat()[:16])  # never longer than the schedule
    assert operator.act(drafted, "cancel").json()["state"] == "cancelled"
    assert operator.act(drafted, "cancel").status_code == 200
    assert list(site.orders.current()) == []
    admin = desk(Role.ADMIN)
    told = admin.http.get(f"/api/v1/audit?thing=schedule/{drafted.json()['id']}", headers=admin.headers).json()["items"]
    acts = ["cancelled", "renewed", "applied", "approved", "drafted"]
    assert [e["action"] for e in told] == [f"schedule.{a}" for a in acts]
    assert not asyncio.run(chain_of(inhabited[0])).findings


async def chain_of(url):
    store = Store(url)
    try:
        return await verify(store, HOME)
    finally:
        await store.close()


def test_four_eyes_are_two_people(desk, inhabited):
    ask_four_eyes(inhabited[0])
    operator = desk(Role.OPERATOR)
    mine, of_planner = operator.draft(), desk(Role.PLANNER).draft()
    own = operator.act(mine, "approve")
    assert (own.status_code, "somebody else has to approve" in own.json()["detail"]) == (409, True)
    assert operator.act(of_planner, "approve").status_code == 200
    alone = operator.act(of_planner, "apply")
    assert (alone.status_code, "cannot apply it as well" in alone.json()["detail"]) == (409, True)


def test_who_has_read_an_old_version_changes_nothing(desk, site):
    operator = desk(Role.OPERATOR)
    drafted = operator.draft()
    assert operator.act(drafted, "approve", tag='"1"').status_code == 200
    assert operator.act(drafted, "apply", tag='"1"').status_code == 412
    assert operator.act(drafted, "apply", tag="W/x").status_code == 422
    place = f"/api/v1/schedules/{drafted.json()['id']}/apply"
    assert operator.http.post(place, json={}, headers=operator.headers).status_code == 428
    assert list(site.orders.current()) == []


def test_applying_twice_with_one_key_is_applying_once(desk, site):
    operator = desk(Role.OPERATOR)
    drafted = operator.draft()
    tag = operator.act(drafted, "approve").headers["etag"]
    operator.headers |= {"Idempotency-Key": "once"}
    first, again = (operator.act(drafted, "apply", tag=tag) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"] == '"3"'


def test_two_schedules_do_not_command_one_device(desk, site):
    operator = desk(Role.OPERATOR)
    both = [operator.draft(), operator.draft()]
    for drafted in both:
        operator.act(drafted, "approve")
    assert operator.act(both[0], "apply").status_code == 200
    second = operator.act(both[1], "apply")
    assert (second.status_code, both[0].json()["id"] in second.json()["detail"]) == (409, True)
    operator.act(both[0], "cancel")
    assert operator.act(both[1], "apply").status_code == 200


def test_everything_wrong_with_a_schedule_is_told_at_once_and_nothing_is_kept(desk):
    operator, before = desk(Role.OPERATOR), (START - timedelta(hours=1)).isoformat()
    bad = {
        "battery": [{"at": START.isoformat(), "kw": 9e9}, {"at": START.isoformat(), "kw": 0}],
        "nobody": [{"at": START.isoformat(), "kw": 1}],
        "grid": [{"at": START.isoformat(), "kw": 1}],
        "chp1": [{"at": before, "kw": 100}],
        "ashp": [],
    }
    answer = operator.draft(setpoints_kw=bad, end=(START + timedelta(hours=60)).isoformat())
    assert answer.status_code == 422
    places = {f["place"] for f in answer.json()["findings"]}
    expected = ["battery[0].kw", "battery[1].at", "nobody", "grid", "chp1[0].at", "ashp"]
    assert places == {"end", *(f"setpoints_kw.{p}" for p in expected)}
    for body in ({"setpoints_kw": {}}, {"plan_id": "none", "assets": ["battery"]}, {"assets": ["battery"]}):
        assert operator.draft(**body).status_code == 422
    raw = '{"title":"x","start":"%s","end":"%s","setpoints_kw":{"battery":[{"at":"%s","kw":%s}]}}'
    for kw in ("NaN", "1e999", "-Infinity", "1" * 400):
        text = raw % (START.isoformat(), END.isoformat(), START.isoformat(), kw)
        sent = operator.http.post("/api/v1/schedules", content=text, headers=operator.headers)
        assert sent.status_code == 422, kw
    assert operator.http.get("/api/v1/schedules", headers=operator.headers).json()["items"] == []


def test_a_plan_becomes_a_schedule_and_the_chain_is_walked_from_every_end(desk, site, app):
    planner, operator = desk(Role.PLANNER), desk(Role.OPERATOR)
    plan = site.memory.plan.plan
    drafted = planner.draft(plan_id=plan.id, assets=["battery"], setpoints_kw={})
    steps = drafted.json()["setpoints_kw"]["battery"]
    assert len(steps) == 9  # the plan's quarter-hours do not begin with the schedule
    at = steps[0]["at"].rstrip("Z")
    planned = plan.power_kw.sel(asset="battery", carrier="electricity").sel(time=at, method="pad")
    assert steps[0]["kw"] == pytest.approx(float(planned), abs=0.001)
    operator.act(drafted, "approve")
    operator.act(drafted, "apply", lease_s=7200)
    bridge, site.clock.instant = FakeBridge(site.clock), START
    asyncio.run(Carrier(site, bridge).turn())
    operator.http.portal.call(Keeping(site, app.state.backing).turn)
    (command,) = bridge.written
    read = {"battery.electricity_kw": Points.of([at_us(plan.made_at)], [12.5])}
    operator.http.portal.call(app.state.backing.telemetry.write, HOME, read)
    reading = f"battery.electricity_kw@{plan.made_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    found = {}
    for end in (drafted.json()["id"], command.id, plan.id, reading):
        found[end] = operator.http.get(f"/api/v1/trace/{end}", headers=operator.headers).json()
        assert found[end]["plan"]["id"] == plan.id
        assert [s["id"] for s in found[end]["schedules"]] == [drafted.json()["id"]]
        assert [e["action"] for e in found[end]["record"]][-1] == "schedule.applied"
        assert command.id in {c["id"] for c in found[end]["commands"]}
        assert found[end]["readings"] == [{"reading": reading, "value": 12.5, "quality": "good"}]
    for nothing in ("battery.electricity_kw@2001-01-01T00:00:00Z", "battery.electricity_kw@noon", "@"):
        assert operator.http.get(f"/api/v1/trace/{nothing}", headers=operator.headers).status_code == 404
    assert operator.http.get("/api/v1/trace/none", headers=operator.headers).status_code == 404


def test_what_was_in_force_is_taken_up_after_a_restart(desk, site, app):
    operator = desk(Role.OPERATOR)
    drafted, gone = operator.draft(), operator.draft(setpoints_kw={"chp1": [{"at": START.isoformat(), "kw": 500}]})
    for one in (drafted, gone):
        operator.act(one, "approve")
        operator.act(one, "apply")
    operator.act(gone, "cancel")
    anew = Runtime(site.memory, StandingClock(NOON + timedelta(minutes=5)), PlantKind.EMULATED, 144.0)
    operator.http.portal.call(Keeping(anew, app.state.backing)._take_up)
    assert [o.schedule_id for o in anew.orders.current()] == [drafted.json()["id"]]


def test_pages_of_schedules_meet(desk):
    operator, seen, cursor = desk(Role.OPERATOR), [], None
    drafted = [operator.draft().json()["id"] for _ in range(5)]
    while True:
        params = {"limit": 2} | ({"before": cursor} if cursor else {})
        page = operator.http.get("/api/v1/schedules", params=params, headers=operator.headers).json()
        seen += [s["id"] for s in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == drafted[::-1]


class FakeBridge:
    """Takes leases and commands as a bridge does, and remembers them."""

    def __init__(self, clock):
        self.clock, self.leased, self.written, self.says, self.refuses = clock, {}, [], Outcome.APPLIED, None

    def lease(self, lease):
        if self.refuses is None:
            self.leased[lease.holder] = lease
        return self.refuses

    def give_back(self, holder):
        del self.leased[holder]

    async def write(self, command):
        self.written.append(command)
        return Receipt(command, self.says, "applied", "", self.clock.now(), command.value)


@pytest.fixture
def carried(site):
    steps = {"battery": ((START, 100.0), (START + timedelta(minutes=30), 200.0)), "chp1": ((START, 500.0),)}
    site.orders.put(Order("s1", START, END, steps))
    bridge = FakeBridge(site.clock)
    carrier = Carrier(site, bridge)

    def turn(at):
        site.clock.instant = at
        asyncio.run(carrier.turn())
        found, bridge.written = [(c.device, c.value) for c in bridge.written], []
        return found

    return site, bridge, turn


def test_set_points_are_sent_once_under_a_lease_that_is_given_back(carried):
    site, bridge, turn = carried
    assert turn(NOON) == []
    assert bridge.leased == {}
    assert sorted(turn(START)) == [("battery", 100.0), ("chp1", 500.0)]
    lease = bridge.leased["schedule s1"]
    assert (lease.until, lease.devices) == (END, {"battery", "chp1"})
    assert turn(START + timedelta(minutes=1)) == []
    assert turn(START + timedelta(minutes=30)) == [("battery", 200.0)]
    site.orders.drop("s1")
    assert turn(START + timedelta(minutes=31)) == []
    assert bridge.leased == {}


def test_a_set_point_that_did_not_land_is_sent_again_after_a_while(carried):
    _, bridge, turn = carried
    bridge.says = Outcome.MAYBE
    assert len(turn(START)) == 2
    assert turn(START + AGAIN / 2) == []
    bridge.says = Outcome.APPLIED
    assert len(turn(START + AGAIN)) == 2
    assert turn(START + 2 * AGAIN) == []


def test_devices_that_somebody_else_holds_are_told_of_once_and_left_alone(carried):
    site, bridge, turn = carried
    bridge.refuses = "the fire brigade holds battery until 12:00:00 UTC"
    assert turn(START) == turn(START + timedelta(minutes=1)) == []
    told = [e for e in site.memory.events.after(0) if e.kind == "fault" and e.data["place"] == "schedule s1"]
    assert len(told) == 1
    bridge.refuses = None
    assert len(turn(START + timedelta(minutes=2))) == 2
