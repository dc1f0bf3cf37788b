"""Worker processes of this machine that end with whoever started them."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of fresh processes, which end within a second of a parent that is killed.

    They are spawned: a forked child would inherit the threads of a server or of numba.
    """
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=follow_parent)


def follow_parent() -> None:
    """End this process as soon as its parent is gone; a worker would wait for work that nobody sends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_after, args=(parent,), name="follow-parent", daemon=True).start()


def _leave_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)  # nobody is left to be told, and nothing here is half-written that is not written anew
