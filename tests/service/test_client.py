"""The Python client: from coming in to an applied schedule, what is refused, and what is sent again."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from service.auth.doors import ensure_tenant, setup_secret
from service.auth.roles import Role
from service.client import Client, RefusedError
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.store.engine import Store
from tests.service.apps import here
from tests.service.conftest import NOON, StandingClock, play
from tests.service.people import PASSWORD, guarded_app

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def site(park):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    return Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)


@pytest.fixture
def http(site, store_at, tmp_path):
    with here(guarded_app(site, store_at, tmp_path)) as http:
        yield http


def first_secret(url):
    async def told():
        store = Store(url)
        await ensure_tenant(store)
        secret = await setup_secret(store)
        await store.close()
        return secret

    return asyncio.run(told())


def test_from_coming_in_to_an_applied_schedule(http, store_at, site):
    park = Client("", http=http)
    assert park.set_up(first_secret(store_at), "ann", PASSWORD).name == "ann"
    plan = park.latest_plan()
    drafted = park.draft("noon", NOON, NOON + timedelta(hours=2), plan=plan.id, assets=["battery"])
    applied = park.apply(park.approve(drafted))
    assert (applied.state, applied.applied_by) == ("applied", "ann")
    assert [o.schedule_id for o in site.orders.current()] == [applied.id]
    assert [s.id for s in park.schedules()] == [applied.id]
    assert [e.action for e in park.trace(applied.id).record][-1] == "schedule.applied"
    with pytest.raises(RefusedError) as stale:
        park.cancel(drafted)
    assert stale.value.status == 412
    assert park.cancel(park.schedule(applied.id)).state == "cancelled"
    assert park.audit().items[0].action == "schedule.cancelled"


def test_programs_have_keys_and_hear_every_finding(http, store_at):
    ann = Client("", http=http)
    ann.set_up(first_secret(store_at), "ann", PASSWORD)
    assert ann.add_user("ben", PASSWORD, [Role.VIEWER]).roles == ["viewer"]
    secret = ann.add_key("nightly", [Role.PLANNER]).secret
    http.cookies.clear()
    program = Client("", secret, http=http)
    assert program.me().roles == [Role.PLANNER]
    assert program.sites()[0].name == "park"
    assert len(program.snapshot().power_kw) > 30
    assert program.alarms().items == []
    assert program.health().status == "ok"
    assert program.receipts(limit=5).items
    with pytest.raises(RefusedError) as refused:
        program.draft("bad", NOON, NOON, {"nobody": [(NOON, 1.0)], "battery": [(NOON, 1e9)]})
    assert {f.place for f in refused.value.findings} >= {"end", "setpoints_kw.nobody", "setpoints_kw.battery[0].kw"}
    job = program.ask("dispatch", day="2015-07-15")
    assert program.jobs().items[0].id == job.id
    assert program.wait(job, seconds=0.3).state == "queued"
    with pytest.raises(RefusedError, match="409"):
        program.result(job)
    assert program.end_job(job).state == "cancelled"
    with pytest.raises(RefusedError, match="401"):
        Client("", "jt_wrong", http=http).me()


def test_a_lost_answer_is_asked_for_again_with_the_same_key(monkeypatch):
    monkeypatch.setattr("service.client.client.LOOK_S", 0.0)
    keys = []

    def answer(request):
        keys.append(request.headers["idempotency-key"])
        if len(keys) < 3:
            raise httpx.ReadError("the line went dead")
        return httpx.Response(502, text="<html>something in between</html>")

    park = Client("", http=httpx.Client(base_url="http://park", transport=httpx.MockTransport(answer)))
    with park, pytest.raises(RefusedError, match="is it Jouletwin"):
        park.ask("dispatch", day="2015-07-15")
    assert len(set(keys)) == 1
    assert len(keys) == 3
