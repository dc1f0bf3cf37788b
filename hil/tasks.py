"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.2
"""How long a cancelled task may take to end before it is asked again."""


async def end(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel tasks and return when every one of them has ended; how it ended is its own matter.

    A task is asked again until it has: ``asyncio.wait_for`` of Python 3.11 loses a cancellation that arrives together with the
    result it was waiting for.
    """
    mine = list(tasks)
    while pending := [t for t in mine if not t.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=AGAIN_S)
    await asyncio.gather(*mine, return_exceptions=True)
