"""``worker``: works on the jobs of a store until it is told to end."""

import asyncio
import signal
import sys
from pathlib import Path

from models.errors import SetupError
from service.emulation import heed
from service.jobs.worker import Worker
from service.store.engine import Store, store_url
from service.store.migrate import newest, revision


def work(address: str, results: Path, *, resident_most_mb: float, until_stdin_closes: bool) -> None:
    """Work until SIGTERM, Ctrl-C or, with ``until_stdin_closes``, the end of who started this."""
    asyncio.run(_work(address, results, resident_most_mb, until_stdin_closes))


async def _work(address: str, results: Path, resident_most_mb: float, until_stdin_closes: bool) -> None:
    url, loop = store_url(address), asyncio.get_running_loop()
    if await revision(url) != newest():
        raise SetupError("the store's tables are not this version's; run: jouletwin store upgrade")
    store = Store(url)
    worker = Worker(store, results, resident_most_mb)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.stop)
    if until_stdin_closes:

        def end() -> None:
            loop.call_soon_threadsafe(worker.stop)

        heed(sys.stdin, lambda _: None, end)
    try:
        await worker.run()
    finally:
        await store.close()
