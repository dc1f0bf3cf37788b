"""Remember what was compiled for a network, by the object first and by its content second."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from threading import Lock
from typing import TypeVar

N = TypeVar("N", bound=Hashable)
M = TypeVar("M")

KEPT = 64


def compiled_once(build: Callable[[N], M]) -> Callable[[N], M]:
    """Return ``build`` with a memory: equal networks share one result.

    Hashing a network of thousands of pipes takes longer than solving it, so the very object seen last time is found
    without hashing; holding on to it keeps its address from being given to another.
    """
    by_content = lru_cache(maxsize=KEPT)(build)
    by_object: OrderedDict[int, tuple[N, M]] = OrderedDict()
    lock = Lock()

    @wraps(build)
    def remembered(network: N) -> M:
        with lock:
            known = by_object.get(id(network))
        if known is not None:
            return known[1]
        model = by_content(network)
        with lock:
            by_object[id(network)] = network, model
            while len(by_object) > KEPT:
                by_object.popitem(last=False)
        return model

    return remembered
