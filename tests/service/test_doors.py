"""Coming in: passwords, sessions, keys, codes, the first person, guessing, pages of strangers, and who may do what."""

import asyncio
from datetime import timedelta

import pytest

from service.auth.doors import LOCKED, ensure_tenant, setup_secret
from service.auth.limits import Limit
from service.auth.roles import MAY, Deed, Role
from service.auth.secrets import STEP_S, totp
from service.opening import require_loopback
from service.store.engine import Store
from tests.service.apps import here
from tests.service.people import FOREIGN, PASSWORD, bearer, guarded_app

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def store_at(inhabited):
    return inhabited[0]


@pytest.fixture
def town(inhabited):
    return inhabited[1]


@pytest.fixture
def app(running, store_at, tmp_path):
    return guarded_app(running, store_at, tmp_path)


class Later:
    """A clock that is moved by hand."""

    def __init__(self, clock):
        self.inner, self.ahead = clock, timedelta()

    def now(self):
        return self.inner.now() + self.ahead

    def monotonic(self):
        return self.inner.monotonic() + self.ahead.total_seconds()


@pytest.fixture
def later(app):
    store = app.state.backing.store
    store.clock = Later(store.clock)
    app.state.backing.logins = Limit(1000, 1000)
    return store.clock


def login(http, name="operator@home", password=PASSWORD, **more):
    return http.post("/api/v1/session", json={"name": name, "password": password, **more})


def test_a_person_comes_in_with_a_password_and_goes_out_again(app, town):
    with here(app) as http:
        assert http.get("/api/v1/snapshot").status_code == 401
        entered = login(http)
        assert (entered.status_code, entered.json()["roles"]) == (201, ["operator"])
        cookie = entered.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Max-Age=43200"))
        assert http.get("/api/v1/snapshot").status_code == 200
        kept = http.cookies["jouletwin"]
        assert http.delete("/api/v1/session").status_code == 200
        assert http.get("/api/v1/snapshot", headers={"Cookie": f"jouletwin={kept}"}).status_code == 401


def test_five_wrong_guesses_lock_the_account_even_for_the_right_password(app, town, later):
    with here(app) as http:
        answers = [login(http, password=f"wrong guess number {n}") for n in range(5)]
        assert {a.status_code for a in answers} == {401}
        locked = login(http)
        unknown = login(http, name="nobody")
        assert locked.status_code == unknown.status_code == 401
        assert locked.json()["detail"] == unknown.json()["detail"]  # nobody learns which names exist
        later.ahead = LOCKED + timedelta(seconds=1)
        assert login(http).status_code == 201
        entries = http.get("/api/v1/audit", headers=bearer(town.keys["home", Role.ADMIN])).json()["items"]
        assert [e["action"] for e in entries if e["thing"] == "user/u-home-operator"] == ["login", "login.locked"]


def test_guesses_made_at_once_count_one_by_one(app, town, later):
    with here(app) as http:
        for n in range(4):
            login(http, password=f"wrong guess number {n}")
        assert login(http).status_code == 201  # a right one forgives
        for n in range(4):
            login(http, password=f"wrong guess number {n}")
        assert login(http).status_code == 201


def test_an_address_that_tries_too_often_is_held_back(app, town):
    with here(app) as http:
        answers = [login(http, name=f"n{n}") for n in range(12)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_session_ends_by_itself_and_when_its_user_is_shut_out(app, town, later):
    admin = bearer(town.keys["home", Role.ADMIN])
    with here(app) as http:
        login(http)
        later.ahead = timedelta(hours=12, seconds=1)
        assert http.get("/api/v1/session").status_code == 401
        login(http)
        user = http.get("/api/v1/users/u-home-operator", headers=admin)
        place, tag = "/api/v1/users/u-home-operator", {"If-Match": user.headers["etag"]}
        assert http.patch(place, json={"disabled": True}, headers=admin).status_code == 428
        assert http.patch(place, json={"disabled": True}, headers=admin | {"If-Match": '"99"'}).status_code == 412
        assert http.patch(place, json={"disabled": True}, headers=admin | tag).json()["disabled"] is True
        assert http.patch(place, json={"disabled": True}, headers=admin | tag).status_code == 412
        assert http.get("/api/v1/session").status_code == 401
        assert login(http).status_code == 401


def test_a_code_is_asked_for_once_it_is_proven_and_taken_once(app, town, later):
    with here(app) as http:
        login(http)
        secret = http.post("/api/v1/session/totp").json()["secret"]
        step = int(later.now().timestamp()) // STEP_S
        assert http.put("/api/v1/session/totp", json={"secret": secret, "code": "000000"}).status_code == 409
        assert http.put("/api/v1/session/totp", json={"secret": secret, "code": totp(secret, step)}).status_code == 200
        assert login(http).status_code == 401
        assert login(http, code=totp(secret, step)).status_code == 401  # it was taken already
        later.ahead = timedelta(seconds=2 * STEP_S)
        code = totp(secret, step + 2)
        assert login(http, code=code).status_code == 201
        assert login(http, code=code).status_code == 401
        key = bearer(town.keys["home", Role.OPERATOR])
        assert http.post("/api/v1/session/totp", headers=key).status_code == 409


def test_codes_are_those_of_the_standard():
    """RFC 6238, appendix B, SHA-1: the last six digits at 59 s, 1111111109 s and 20000000000 s."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 # the standard's own
    assert [totp(secret, s // 30) for s in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def test_the_first_person_comes_in_once_with_a_secret_that_was_printed(running, engines, engine, tmp_path):
    store_at = engines[engine].fresh()
    app = guarded_app(running, store_at, tmp_path)

    async def told():
        store = Store(store_at)
        await ensure_tenant(store)
        before, secret = await setup_secret(store), await setup_secret(store)
        await store.close()
        return before, secret

    before, secret = asyncio.run(told())
    wanted = {"secret": secret, "name": "ann", "password": PASSWORD}
    with here(app) as http:
        assert http.get("/", follow_redirects=False).headers["location"] == "/login"
        short = http.post("/api/v1/setup", json=wanted | {"password": "annann"})
        assert short.status_code == 422
        assert len(short.json()["findings"]) == 3
        assert http.post("/api/v1/setup", json=wanted | {"secret": before}).status_code == 401
        assert 'name="secret"' in http.get(f"/setup?secret={secret}").text
        form = http.post("/setup", data={"secret": secret, "name": "ann", "password": PASSWORD}, follow_redirects=False)
        assert (form.status_code, form.headers["location"]) == (303, "/")
        assert set(http.get("/api/v1/session").json()["roles"]) == {"admin", "operator", "planner"}
        assert http.post("/api/v1/setup", json=wanted | {"name": "ben"}).status_code == 401
        assert http.get("/?lang=en").status_code == 200
        assert http.post("/logout", follow_redirects=False).status_code == 303
        wrong = http.post("/login?lang=en", data={"name": "ann", "password": "no"})
        assert (wrong.status_code, "is wrong" in wrong.text) == (401, True)
        assert (
            http.post("/login", data={"name": "ann", "password": PASSWORD}, follow_redirects=False).status_code == 303
        )

    async def again():
        store = Store(store_at)
        try:
            return await setup_secret(store)
        finally:
            await store.close()

    assert asyncio.run(again()) is None


def test_keys_are_told_once_and_open_nothing_once_revoked(app, town):
    admin = bearer(town.keys["home", Role.ADMIN])
    with here(app) as http:
        made = http.post("/api/v1/keys", json={"name": "nightly", "roles": ["ci"]}, headers=admin).json()
        assert len(made["secret"]) >= 43
        assert all("secret" not in k for k in http.get("/api/v1/keys?limit=200", headers=admin).json()["items"])
        mine = bearer(made["secret"])
        assert http.get("/api/v1/session", headers=mine).json()["name"] == "key nightly"
        assert http.delete(f"/api/v1/keys/{made['id']}", headers=admin).json()["revoked_at"]
        assert http.get("/api/v1/session", headers=mine).status_code == 401
        past = {"name": "late", "roles": ["ci"], "expires_at": "2020-01-01T00:00:00Z"}
        assert http.post("/api/v1/keys", json=past, headers=admin).status_code == 422


def test_pages_of_users_and_keys_meet(app, town):
    admin = bearer(town.keys["home", Role.ADMIN])
    with here(app) as http:
        for thing, name in (("users", "name"), ("keys", "id")):
            seen, after = [], ""
            while after is not None:
                page = http.get(f"/api/v1/{thing}", params={"limit": 4, "after": after}, headers=admin).json()
                seen += [item[name] for item in page["items"]]
                after = page["next"]
            everything = http.get(f"/api/v1/{thing}?limit=200", headers=admin).json()["items"]
            assert seen == [item[name] for item in everything]


def test_somebody_may_always_manage_people(app, town):
    admin = bearer(town.keys["home", Role.ADMIN])
    with here(app) as http:
        place = "/api/v1/users/u-home-admin"
        tag = {"If-Match": http.get(place, headers=admin).headers["etag"]}
        alone = http.patch(place, json={"roles": ["viewer"]}, headers=admin | tag)
        assert (alone.status_code, "make another admin first" in alone.json()["detail"]) == (409, True)
        assert http.get(place, headers=admin).json()["roles"] == ["admin"]
        new = {"name": "ann", "password": PASSWORD, "roles": ["admin"]}
        assert http.post("/api/v1/users", json=new, headers=admin).status_code == 201
        assert http.post("/api/v1/users", json=new, headers=admin).status_code == 409
        assert http.patch(place, json={"roles": ["viewer"]}, headers=admin | tag).status_code == 200


STRANGERS = [
    {"Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
]


@pytest.mark.parametrize("headers", STRANGERS)
def test_a_page_of_a_stranger_changes_nothing(app, town, headers):
    with here(app) as http:
        assert http.post("/api/v1/session", json={"name": "x", "password": "x"}, headers=headers).status_code == 403
        login(http)
        assert http.delete("/api/v1/session", headers=headers).status_code == 401
        assert http.get("/api/v1/session").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"X-Forwarded-For": "10.0.0.9"}, {"Forwarded": "for=10.0.0.9"}, {"Host": ""}],
)
def test_a_local_service_is_local_to_its_machine(app, headers):
    app.state.backing.local = True
    with here(app) as http:
        assert http.get("/api/v1/session").json()["name"] == "local"
        assert http.get("/api/v1/session", headers=headers).status_code == 401
        assert http.post("/api/v1/session/totp", headers=STRANGERS[0]).status_code == 401
        assert http.get("/api/v1/session", headers=bearer("wrong")).status_code == 401


def test_a_local_service_listens_to_its_machine_alone():
    require_loopback("127.0.0.1")
    require_loopback("localhost")
    with pytest.raises(Exception, match="lets everybody in"):
        require_loopback("0.0.0.0")  # noqa: S104 # this is what is refused


def test_who_asks_too_often_waits(app, town):
    app.state.backing.requests = Limit(per_s=0.1, burst=3)
    with here(app) as http:
        answers = [http.get("/api/v1/session", headers=bearer(town.keys["home", Role.VIEWER])) for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        other = http.get("/api/v1/session", headers=bearer(town.keys[FOREIGN, Role.VIEWER]))
        assert other.status_code == 200


def test_every_role_may_something_and_nobody_everything():
    assert set(MAY) == set(Role)
    assert all(Deed.BE in deeds and deeds < set(Deed) for deeds in MAY.values())
