import asyncio
import hashlib
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge
from hil.clocks import RealClock, ScaledClock, VirtualClock
from hil.virtual_time import VirtualLoop, freeze, run_virtual, stalls
from models.ports import Command, Outcome, Quality

EPOCH = datetime(2015, 7, 15, tzinfo=UTC)


def test_a_virtual_day_of_sleeping_takes_no_time_and_ends_at_midnight():
    async def day(clock):
        for _ in range(24):
            await clock.sleep(3600)
        return clock.now(), clock.monotonic()

    started = time.monotonic()
    now, seconds = run_virtual(day, EPOCH)
    assert now == EPOCH + timedelta(days=1)
    assert seconds == 86400
    assert time.monotonic() - started < 5


def test_a_scaled_clock_runs_as_fast_as_told():
    async def nap():
        clock = ScaledClock(EPOCH, 200.0)
        before = clock.monotonic()
        await clock.sleep(20.0)
        return clock.monotonic() - before, clock.now()

    slept, now = asyncio.run(nap())
    assert slept >= 20.0
    assert now >= EPOCH + timedelta(seconds=20)
    with pytest.raises(ValueError, match="expected more than 0"):
        ScaledClock(EPOCH, 0)


def test_the_real_clock_is_utc_and_never_goes_back():
    async def nap():
        clock = RealClock()
        a = clock.monotonic()
        await clock.sleep(-1)
        return clock.now().utcoffset(), a <= clock.monotonic()

    assert asyncio.run(nap()) == (timedelta(0), True)


def test_timers_a_rounding_error_apart_do_not_wait_for_each_other():
    """Three sleepers whose wake-up lies one last digit ahead keep each other ready; time has to go on all the same."""

    async def main(clock):
        await clock.sleep(16.999999999999996)

        async def sleeper():
            naps = 0
            while (left := 17.0 - clock.monotonic()) > 0.0 and naps < 100:
                await clock.sleep(left)
                naps += 1
            return naps

        return await asyncio.gather(*(sleeper() for _ in range(3)))

    assert max(run_virtual(main, EPOCH)) < 100


def test_a_set_clock_is_kept_apart_and_small_differences_are_made_up_for():
    machine = {"wall": EPOCH, "s": 0.0}
    clock = RealClock(lambda: machine["wall"], lambda: machine["s"], "boot")

    def pass_by(seconds, set_by=0.0):
        machine["s"] += seconds
        machine["wall"] += timedelta(seconds=seconds + set_by)
        return (clock.now() - EPOCH).total_seconds()

    assert pass_by(10.0) == 10.0
    assert pass_by(10.0, set_by=3600.0) == 20.0
    assert clock.offset_s == 3600.0
    assert pass_by(10.0, set_by=-3600.0 + 0.5) == pytest.approx(30.005)
    assert pass_by(2000.0) == pytest.approx(2030.5)
    anchor = clock.anchor()
    machine["s"] += 60.0
    machine["wall"] += timedelta(seconds=7260.0)  # the process is dead, and somebody sets the clock
    after = RealClock(lambda: machine["wall"], lambda: machine["s"], "boot")
    after.go_on_from(anchor)
    assert (after.now() - EPOCH).total_seconds() == pytest.approx(2090.5)
    rebooted = RealClock(lambda: machine["wall"], lambda: 5.0, "another boot")
    rebooted.go_on_from(anchor)
    assert rebooted.now() == machine["wall"]


def test_time_stands_while_a_thread_or_a_process_works():
    async def work(clock):
        before = clock.monotonic()
        await asyncio.to_thread(time.sleep, 0.3)
        with freeze():
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(0.3)")
            await child.wait()
        return clock.monotonic() - before

    async def with_a_ticking_neighbour(clock):
        neighbour = asyncio.create_task(clock.sleep(1e6))
        passed = await work(clock)
        neighbour.cancel()
        return passed

    assert run_virtual(with_a_ticking_neighbour, EPOCH) == 0.0


def test_freezing_is_harmless_under_a_real_clock():
    async def nothing():
        with freeze():
            return stalls(asyncio.get_running_loop())

    assert asyncio.run(nothing()) == 0


def test_a_timeout_fires_in_virtual_time_only_when_the_answer_does_not_come():
    async def main(clock):
        async def late(reader, writer):
            await reader.readexactly(1)
            await asyncio.sleep(30)
            writer.write(b"x")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(late, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 29)
        at_timeout = clock.monotonic()
        answer = await asyncio.wait_for(reader.readexactly(1), 10)
        writer.close()
        server.close()
        await asyncio.sleep(0.01)
        return at_timeout, clock.monotonic(), answer, stalls(asyncio.get_running_loop())

    at_timeout, at_answer, answer, stalled = run_virtual(main, EPOCH)
    assert (at_timeout, answer, stalled) == (29.0, b"x", 0)
    assert 30.0 <= at_answer < 30.1


def polled_hours(bench, hours):
    """Poll two scripted devices over loopback TCP for some virtual hours; returns a digest of everything seen."""

    async def main(clock):
        chp, found = await bench.add("chp", poll_s=60.0)
        battery, _ = await bench.add("battery", poll_s=60.0)
        chp.put(found.point("heat_kw"), 321.0)
        digest = hashlib.sha256()
        async with Bridge(bench.site, clock) as bridge:
            for k in range(hours * 60):
                await clock.sleep(60)
                for reading in await bridge.read():
                    digest.update(
                        f"{reading.device} {reading.quantity} {reading.value} {reading.measured_at} {reading.quality}".encode()
                    )
                if k % 15 == 0:
                    wanted = Command(
                        f"c{k}",
                        "battery",
                        "setpoint_kw",
                        float(k % 400),
                        clock.now(),
                        "plan",
                        clock.now() + timedelta(seconds=900),
                    )
                    receipt = await bridge.write(wanted)
                    assert receipt.outcome is Outcome.APPLIED
                    digest.update(f"{receipt}".encode())
            quality, stats = bridge.quality("chp"), bridge.stats
        digest.update(repr([chp.requests, battery.requests]).encode())
        await chp.stop()
        await battery.stop()
        return digest.hexdigest(), quality, stats, stalls(asyncio.get_running_loop())

    return run_virtual(main, EPOCH)


def test_virtual_hours_over_real_sockets_are_quick_and_the_same_every_time(bench):
    first = polled_hours(bench, 6)
    second = polled_hours(type(bench)(), 6)
    assert first[0] == second[0]
    assert first[1] is Quality.GOOD
    assert first[3] == 0
    assert first[2].misses == 0
    # half the revert time of the battery is 300 s: two refreshes between the commands of each quarter of an hour
    assert first[2].refreshes > 30


def test_a_virtual_clock_needs_no_virtual_loop():
    loop = asyncio.new_event_loop()
    clock = VirtualClock(loop, EPOCH)
    loop.run_until_complete(clock.sleep(0.01))
    assert clock.now() > EPOCH
    loop.close()


def test_a_peer_that_stops_reading_delays_but_never_stops_time():
    async def main(clock):
        server = await asyncio.start_server(lambda r, w: r._transport.pause_reading(), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await clock.sleep(1)
        writer.write(b"nobody reads this")
        await clock.sleep(1)
        writer.close()
        server.close()
        return clock.monotonic(), stalls(asyncio.get_running_loop())

    seconds, stalled = run_virtual(main, EPOCH)
    assert seconds == 2.0
    assert stalled >= 1


def test_the_virtual_loop_is_an_ordinary_loop_otherwise():
    assert issubclass(VirtualLoop, asyncio.SelectorEventLoop)
    assert subprocess.run([sys.executable, "-c", "import hil.virtual_time"], check=False).returncode == 0
