"""A bridge in a process of its own, to be killed: ``python -m tests.chaos.victim PORT JOURNAL FIRST`` commands one value after another."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hil.bridge import Bridge
from hil.clocks import RealClock
from models.ports import Command
from tests.chaos.episode import site


async def main(port, journal, first):
    async with Bridge(site(port, "socket", 0.2), RealClock(), Path(journal), timeout_s=0.3, frame_life_s=0.5) as bridge:
        print("up", flush=True)
        for k in range(first, 10_000):
            now = datetime.now(UTC)
            value = 200.0 + (k % 400)
            wanted = Command(f"k{k}", "chp", "setpoint_kw", value, now, "planner", now + timedelta(seconds=60))
            receipt = await bridge.write(wanted)
            print(f"{k} {receipt.outcome.value} {receipt.code}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
