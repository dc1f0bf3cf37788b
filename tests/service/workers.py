"""A worker beside a test."""

import asyncio
import threading

from service.jobs.worker import Worker
from service.store.engine import Store


class WorkerThread:
    """A worker beside the test, with a loop and a connection of its own."""

    def __init__(self, url, results, **more):
        self.url, self.results, self.more = url, results, more
        self.worker, self.ready = None, threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self):
        store = Store(self.url)
        self.worker = Worker(store, self.results, **self.more)
        self.loop = asyncio.get_running_loop()
        self.ready.set()
        await self.worker.run()
        await store.close()

    def __enter__(self):
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.worker.stop)
        self.thread.join(10)
