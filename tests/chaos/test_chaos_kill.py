"""The bridge killed for real (SIGKILL) at random instants: nothing that was acknowledged is lost or told wrong."""

import asyncio
import random
import sqlite3
import sys

from tests.chaos.episode import LoggedDevice, Plan

KILLS = 3


async def one_life(port, journal, first, dice, heard):
    """Start a bridge, listen to its receipts, kill it at a random instant."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.victim", str(port), str(journal), str(first), stdout=asyncio.subprocess.PIPE
    )
    assert (await child.stdout.readline()).strip() == b"up"

    async def listen():
        while line := await child.stdout.readline():
            if line.endswith(b"\n"):
                number, outcome, code = line.decode().split()
                heard[int(number)] = (outcome, code)

    ears = asyncio.create_task(listen())
    await asyncio.sleep(dice.uniform(0.05, 0.6))
    child.kill()
    await child.wait()
    await ears


def test_killed_bridges_lose_nothing_and_every_frame_has_its_record(tmp_path):
    journal = tmp_path / "journal.sqlite"
    heard = {}

    async def main():
        device = LoggedDevice(Plan(seed=0))
        port = await device.start()
        dice = random.Random(1)
        for _ in range(KILLS):
            await one_life(port, journal, max(heard, default=-1) + 1, dice, heard)
        await device.stop()
        return device.log

    log = asyncio.run(asyncio.wait_for(main(), 60))
    db = sqlite3.connect(journal)
    outcomes = dict(db.execute("SELECT command, outcome FROM outcomes"))
    values = {name: round(value * 10) for name, value in db.execute("SELECT id, value FROM commands")}
    recorded = {int(words.strip("[]")) for (words,) in db.execute("SELECT words FROM attempts")}
    landed = {raw for _, who, raw in log if who == "bridge"}
    assert len(heard) > KILLS
    assert landed <= recorded
    for number, (outcome, _) in heard.items():
        assert outcomes[f"k{number}"] == outcome
        if outcome == "applied":
            assert values[f"k{number}"] in landed
