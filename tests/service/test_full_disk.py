"""A disk without room, for real: a small file system of our own where one may be made, and everywhere a database that may not grow."""

import asyncio
import ctypes
import os
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import event

from service.app import create_app
from service.auth.doors import HOME
from service.backing import Backing
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from service.store.audit import verify
from service.store.engine import Store, store_url
from tests.service.apps import here, prepared
from tests.service.conftest import NOON, StandingClock, play, receipt_of

LIBC = ctypes.CDLL(None, use_errno=True)
SIZE = "3m"
DETACH = 2
MOST_TRIES = 400
SETPOINTS = [{"at": (NOON + timedelta(minutes=15 * k)).isoformat(), "kw": 1.0 + k} for k in range(8)]
SCHEDULE = {"start": NOON.isoformat(), "end": (NOON + timedelta(hours=2)).isoformat()}
SCHEDULE["setpoints_kw"] = {"battery": SETPOINTS}


def mounted(folder):
    """Whether a small file system could be put in a folder."""
    return LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={SIZE}".encode()) == 0


def may_mount():
    folder = mkdtemp(prefix="jouletwin-mount-")
    try:
        found = mounted(folder)
        if found:
            LIBC.umount2(os.fsencode(folder), DETACH)
        return found
    finally:
        Path(folder).rmdir()


class SmallDisk:
    """A disk on which something else takes all the room."""

    def __init__(self, store):
        self._filler = Path(store.url.database).with_name("something else")

    def fill(self):
        with self._filler.open("ab", buffering=0) as filler:
            for length in (65536, 4096):
                try:
                    while filler.write(b"\xff" * length) == length:
                        pass
                except OSError:
                    continue

    def free(self):
        self._filler.unlink()


class FewPages:
    """A database that may not grow beyond what it has."""

    def __init__(self, store):
        self._store, self._most = store, 2**30
        event.listen(store.engine.sync_engine, "begin", self._bound)

    def _bound(self, connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count={self._most}")

    def fill(self):
        self._most = 1  # never less than there are

    def free(self):
        self._most = 2**30


WAYS = [FewPages, *([SmallDisk] if may_mount() else [])]


@contextmanager
def room(way, folder):
    """Give a folder for the store."""
    if way is FewPages or not mounted(folder):
        yield folder
        return
    try:
        yield folder
    finally:
        LIBC.umount2(os.fsencode(folder), DETACH)


@pytest.fixture
def site(park):
    memory = Memory(park)
    play(memory, NOON - timedelta(minutes=15), 0.25)
    return Runtime(memory, StandingClock(NOON), PlantKind.EMULATED, 144.0)


def told(site, kind, within_s=240.0):
    """Whether the page says so much of the store, within a while."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if any(e.kind == kind and e.data.get("place") == "store" for e in site.memory.events.after(0)):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk_refuses_what_it_cannot_keep_and_nothing_else(way, site, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    with room(way, place):
        url = store_url(place / "store.sqlite")
        asyncio.run(prepared(url))
        store = Store(url)
        disk = way(store)
        with here(create_app(site, Backing(store, tmp_path / "results", local=True))) as http:
            kept = {draft(http, 0).json()["id"]}
            disk.fill()
            refused, more = until_refused(http)
            kept |= more
            assert (refused.status_code, refused.headers["content-type"]) == (507, "application/problem+json")
            assert "no room left" in refused.json()["detail"]
            assert http.get("/api/v1/snapshot").status_code == 200
            assert http.get("/api/v1/health/live").status_code == 200
            assert listed(http) == kept
            site.memory.take_receipts([receipt_of(k, "battery", 1.0, NOON) for k in range(9000, 9120)])
            assert told(site, "fault")
            disk.free()
            after = draft(http, MOST_TRIES)
            assert after.status_code == 201, after.text
            assert listed(http) == kept | {after.json()["id"]}
            assert told(site, "recovery")
        assert asyncio.run(wrong_in_the_record(url)) == ()


def draft(http, number):
    return http.post("/api/v1/schedules", json={**SCHEDULE, "title": f"{number} {'x' * 60}"})


def until_refused(http):
    """Draft until it is refused; the refusal, and what was kept before."""
    kept = set()
    for number in range(1, MOST_TRIES):
        answer = draft(http, number)
        if answer.status_code != 201:
            return answer, kept
        kept.add(answer.json()["id"])
    raise AssertionError("the disk never became full")


def listed(http):
    found, before = set(), None
    while True:
        page = http.get("/api/v1/schedules", params={"limit": 100} | ({} if before is None else {"before": before}))
        found |= {s["id"] for s in page.json()["items"]}
        if (before := page.json()["next"]) is None:
            return found


async def wrong_in_the_record(url):
    store = Store(url)
    try:
        return (await verify(store, HOME)).findings
    finally:
        await store.close()
