"""Tenants of an installation: made at the command line, shut out and let in again, on both engines."""

import asyncio

import httpx
import pytest
from typer.testing import CliRunner

from service.auth.doors import HOME
from service.auth.people import NameTakenError
from service.auth.roles import Role
from service.auth.tenants import make_tenant, shut_out
from service.cli import app
from service.client import Client, RefusedError
from service.store.audit import verify
from service.store.engine import Store
from tests.service.people import PASSWORD, knocking

pytestmark = pytest.mark.usefixtures("quick_hashes")


def with_store(url, work):
    async def run():
        store = Store(url)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def test_a_new_tenant_has_a_first_admin_and_nobody_elses_rows(inhabited, quiet, tmp_path):
    url, _ = inhabited
    secret = with_store(url, lambda store: make_tenant(store, "works", "Metal works"))
    with knocking(quiet, url, tmp_path) as http:
        first = Client("", secret, http=http)
        assert (first.me().tenant, first.me().roles) == ("works", [Role.ADMIN])
        assert [e.action for e in first.audit().items] == ["key.made", "tenant.made"]
        first.add_user("wu", PASSWORD, [Role.ADMIN])
        assert Client("", http=http).log_in("wu", PASSWORD).tenant == "works"
        with_store(url, lambda store: shut_out(store, "works", out=True))
        http.app.state.backing.recent.forget()
        assert httpx_status(http, secret) == httpx_status(http, None) == 401
        with pytest.raises(RefusedError, match="401"):
            Client("", http=http).log_in("wu", PASSWORD)
        with_store(url, lambda store: shut_out(store, "works", out=False))
        assert httpx_status(http, secret) == 200
    with pytest.raises(NameTakenError):
        with_store(url, lambda store: make_tenant(store, HOME, "Home"))
    assert with_store(url, lambda store: verify(store, "works")).findings == ()


def httpx_status(http: httpx.Client, secret):
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return http.get("/api/v1/session", headers=headers).status_code


def test_the_commands_say_what_they_did_and_what_is_wrong(tmp_path):
    def told(*words, code=0):
        found = CliRunner().invoke(app, [*words], env={"JOULETWIN_STORE": str(tmp_path / "s.sqlite"), "COLUMNS": "200"})
        assert found.exit_code == code, found.output
        return found.output

    told("store", "upgrade")
    secrets = [line for line in told("tenant", "add", "works", "--name", "Metal works").splitlines() if "jt_" in line]
    assert len(secrets) == 1
    assert "id" in told("tenant", "add", "a b", "--name", "x" * 200, code=1)
    assert "works: Metal works" in told("tenant", "list")
    assert "already" in told("tenant", "add", "works", code=1)
    told("tenant", "disable", "works")
    assert "shut out since" in told("tenant", "list")
    told("tenant", "enable", "works")
    assert "shut out since" not in told("tenant", "list")
    assert "there is no tenant nobody" in told("tenant", "disable", "nobody", code=2)
    assert "stop the service" in told("tenant", "disable", HOME, code=2)
