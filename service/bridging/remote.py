"""The service's side of the socket: a bridge that lives in another process, used as if it lived here."""

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from hil.bridge import BridgeStats, Lease, Mode
from hil.bridge.events import BridgeEvent, Listener
from models.errors import PlantError, SetupError
from models.ports import Command, Reading, Receipt
from models.site import Site
from service.bridging.wire import ANSWER, FAULT, packed, received

START_S = 60.0
"""How long the service waits for a bridge that is being started too."""
ANSWER_S, WRITTEN_S = 5.0, 60.0
"""How long an answer may take, and the proof of a command."""
AGAIN_S = 1.0


class RemoteBridge:
    """Asks a bridge at a socket; ``approve`` is the model's say on every command, and goes with it.

    A bridge that is gone is a :class:`PlantError` with every question, until one answers again.
    """

    def __init__(
        self, place: Path, site: Site, mode: Mode, listener: Listener, approve: Callable[[Command], str | None]
    ) -> None:
        self._place, self._mode, self._listener, self._approve = place, mode, listener, approve
        self._devices = frozenset(d.id for d in site.devices)
        self._idle: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="bridge events", daemon=True)

    async def __aenter__(self) -> Self:
        """Find the bridge and listen to it.

        Raises
        ------
        SetupError
            If none answers in time, or it is a bridge of another site or mode.
        """
        self._loop = asyncio.get_running_loop()
        mode, devices = await asyncio.to_thread(self._found)
        if devices != self._devices or mode != self._mode.value:
            words = f"the bridge at {self._place} has {len(devices)} devices in mode {mode}"
            raise SetupError(f"{words}; start both with the same site file and --mode")
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening: without a service the bridge commands nothing, and devices fall back by themselves."""
        self._ending.set()
        if self._events is not None:
            with suppress(OSError):
                self._events.shutdown(socket.SHUT_RDWR)
        self._forget_idle()

    async def read(self) -> Sequence[Reading]:
        """Return the latest value of every point."""
        found: Sequence[Reading] = await asyncio.to_thread(self._asked, "read")
        return found

    async def write(self, command: Command) -> Receipt:
        """Carry out one command."""
        receipt: Receipt = await asyncio.to_thread(self._asked, "write", command, self._approve(command))
        return receipt

    async def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits; KeyError if none of that id does."""
        there: Sequence[Command] = await asyncio.to_thread(self._asked, "waiting")
        command = next((c for c in there if c.id == command_id), None)
        objection = None if command is None else self._approve(command)
        receipt: Receipt = await asyncio.to_thread(self._asked, "confirm", command_id, operator, objection)
        return receipt

    def waiting(self) -> Sequence[Command]:
        """Return the commands that wait for an operator."""
        found: Sequence[Command] = self._asked("waiting")
        return found

    def lease(self, lease: Lease) -> str | None:
        """Take devices for one commander; the reason in words when they cannot be had."""
        refusal: str | None = self._asked("lease", lease)
        return refusal

    def give_back(self, holder: str) -> None:
        """End what somebody has leased."""
        self._asked("give back", holder)

    @property
    def stats(self) -> BridgeStats | None:
        """What the bridge has done since it started; None when it is gone."""
        try:
            found: BridgeStats = self._asked("stats")
        except PlantError:
            return None
        return found

    def _found(self) -> tuple[str, frozenset[str]]:
        until = monotonic() + START_S
        while True:
            try:
                found: tuple[str, frozenset[str]] = self._asked("hello")
            except PlantError:
                if monotonic() >= until or self._ending.is_set():
                    words = (
                        f"no bridge answers at {self._place}; start it: jouletwin bridge SITE --listen {self._place}"
                    )
                    raise SetupError(words) from None
                sleep(AGAIN_S)
            else:
                return found

    def _asked(self, *question: object) -> Any:
        """Ask over a connection of its own, so that a device that takes its time keeps nobody waiting but who asked."""
        try:
            line = self._idle.get_nowait()
        except queue.Empty:
            line = self._connected()
        try:
            line.settimeout(WRITTEN_S if question[0] in ("write", "confirm") else ANSWER_S)
            line.sendall(packed(question))
            kind, content = received(_taker(line))
        except OSError as fault:
            line.close()
            self._forget_idle()  # they led to the same process
            raise PlantError(
                f"the bridge at {self._place} is gone: {fault.strerror or fault}; start it again"
            ) from None
        self._idle.put(line)
        if kind == FAULT:
            unknown, words = content
            raise KeyError(words) if unknown else PlantError(words)
        return content

    def _forget_idle(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _connected(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(str(self._place))
        except OSError as fault:
            line.close()
            raise PlantError(
                f"the bridge at {self._place} cannot be reached: {fault.strerror or fault}; is it started?"
            ) from None
        return line

    def _listen(self) -> None:
        """Pass on what the bridge tells; a bridge that is started again is listened to again."""
        while not self._ending.is_set():
            with suppress(OSError, PlantError):
                self._hear_out(self._connected())
            self._ending.wait(AGAIN_S)

    def _hear_out(self, line: socket.socket) -> None:
        """Pass on what comes until the connection ends."""
        self._events, take = line, _taker(line)
        with line:
            line.sendall(packed(("events",)))
            while not self._ending.is_set():
                self._heard(received(take))

    def _heard(self, told: object) -> None:
        if isinstance(told, BridgeEvent) and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._listener, told)
        elif told != (ANSWER, None):
            raise PlantError("what the bridge tells is no event of ours")


def _taker(line: socket.socket) -> Callable[[int], bytes]:
    """Return who takes the next so many bytes off a connection."""

    def take(count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = line.recv(count - len(found))
            if not part:
                raise ConnectionResetError("the connection has ended")
            found += part
        return found

    return take
