"""The service told to end, as a process: leases are given back, devices fall back, open requests end, jobs go back into the queue."""

import asyncio
import re
import signal
import sqlite3
import struct
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from service.client import Client
from tests.chaos.service_kills import POWER, REVERT_S, Deaths, Play

KW = 150.0
PATIENCE_S = 180.0


@pytest.fixture
def play(tmp_path):
    found = Play(tmp_path, Deaths())
    yield found
    found.end()


class Listener(threading.Thread):
    """Somebody at the stream of events: how it ended."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.heard, self.fault = address, 0, None

    def run(self):
        try:
            with httpx.stream("GET", f"{self.address}api/v1/events", timeout=240) as stream:
                for _ in stream.iter_lines():
                    self.heard += 1
        except httpx.HTTPError as fault:
            self.fault = fault


def waited(play, until):
    """Whether something comes true while the service runs, however busy the machine is."""
    end = time.monotonic() + PATIENCE_S
    while not (found := until()) and time.monotonic() < end and play.service.poll() is None:
        time.sleep(0.1)
        play.listen()
    return found


def ordered(park):
    """Apply a schedule for one boiler, and wait until its lease is in the journal."""
    now = datetime.now(UTC)
    draft = park.draft("kept warm", now, now + timedelta(hours=1), {"b0": [(now, KW)]})
    return park.apply(park.approve(draft), lease_s=3600)


def leased(play):
    with sqlite3.connect(f"file:{play.folder / 'journal.sqlite'}?mode=ro", uri=True) as journal:
        return [holder for (holder,) in journal.execute("SELECT holder FROM leases")]


def job_state(play, job):
    with sqlite3.connect(play.folder / "store.sqlite") as store:
        return store.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()[0]


def power(play):
    """What the first boiler draws, asked over the bad line until it answers."""
    port = int(re.search(r"port: (\d+)", play.site.read_text()).group(1))

    async def asked():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, POWER, 1))
        async with asyncio.timeout(2):
            body = await reader.readexactly(11)
        writer.close()
        return int.from_bytes(body[9:], "big")

    for _ in range(5):
        try:
            return asyncio.run(asked())
        except TimeoutError:
            continue
    raise AssertionError("nobody answers on the line")


def test_a_service_that_is_told_to_end_leaves_nothing_hanging(play):
    play.start_service()
    assert waited(play, play.commanded), play.said.read_text()
    assert waited(play, lambda: play.address)
    listener = Listener(play.address)
    listener.start()
    with Client(play.address) as park:
        applied = ordered(park)
        holder = f"schedule {applied.id}"
        assert waited(play, lambda: leased(play) == [holder])
        assert waited(play, lambda: any(c.outcome == "applied" for c in park.trace(applied.id).commands))
        job = park.ask("dispatch", day="2015-01-05", deadline_s=60)
        assert waited(play, lambda: park.job(job.id).state != "queued")
    play.service.send_signal(signal.SIGTERM)
    asked_at = time.monotonic()
    assert play.service.wait(180) == 0, play.said.read_text()
    assert time.monotonic() - asked_at < 30
    assert "Traceback" not in play.said.read_text()
    listener.join(60)
    assert (listener.is_alive(), listener.fault) == (False, None)
    assert listener.heard > 0
    assert leased(play) == []
    assert job_state(play, job.id) in ("queued", "done")
    time.sleep(REVERT_S + 0.5)
    assert power(play) == 0
