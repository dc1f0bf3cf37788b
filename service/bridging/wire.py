"""What service and bridge say to each other over a local socket: frames of plain records, and nothing that could carry code."""

import io
import pickle
from collections.abc import Callable
from struct import Struct
from typing import Any

from models.errors import PlantError

LENGTH = Struct(">I")
MOST = 16 * 2**20
"""A frame that is longer than this is not one of ours."""
ROOMS = ("models.ports", "hil.bridge.events", "hil.bridge.leases", "hil.bridge.bridge", "hil.bridge.writer", "datetime")
PLAIN = {("builtins", "frozenset"), ("builtins", "set")}
ANSWER, FAULT = "answer", "fault"


class _Records(pickle.Unpickler):
    """Builds records of the doors alone."""

    def find_class(self, module: str, name: str) -> Any:
        if module not in ROOMS and (module, name) not in PLAIN:
            raise pickle.UnpicklingError(f"{module}.{name} is nothing that bridge and service tell each other")
        return super().find_class(module, name)


def packed(content: object) -> bytes:
    """Return a frame."""
    body = pickle.dumps(content)
    return LENGTH.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """Return how many bytes follow a frame's head.

    Raises
    ------
    PlantError
        If the other side is neither bridge nor service.
    """
    (length,) = LENGTH.unpack(head)
    if length > MOST:
        raise PlantError(f"a frame of {length} bytes is none of ours; who is at the other end of the socket?")
    return int(length)


def unpacked(body: bytes) -> Any:
    """Return what a frame's bytes say.

    Raises
    ------
    PlantError
        If they are no records of ours.
    """
    try:
        return _Records(io.BytesIO(body)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as fault:
        raise PlantError(f"what came over the bridge's socket cannot be read: {fault}") from None


def received(take: Callable[[int], bytes]) -> Any:
    """Return the next frame of a connection; ``take`` gives the next so many bytes of it."""
    return unpacked(take(length_of(take(LENGTH.size))))
