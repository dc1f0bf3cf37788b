"""An event loop whose time is virtual: real sockets on loopback, and the clock jumps to the next timer whenever nothing is on its way.

What is on its way is counted, not guessed: bytes sent and not yet received between sockets of this loop, connects and closes that
the other end has not seen, work in threads, and whatever :func:`freeze` protects. So a day of polling takes seconds, no time-out
fires early, and the same seed gives the same bytes. Both ends have to live in this loop; a peer in another process needs the real
or the scaled clock.
"""

import asyncio
import selectors
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from hil.clocks import VirtualClock

T = TypeVar("T")
Address = tuple[Any, ...]
Ends = tuple[Address, Address]
PATIENCE_S = 0.25
"""Real seconds without any event after which something counted as under way is given up."""


class Ledger:
    """What is on its way between the sockets of one loop."""

    def __init__(self) -> None:
        self.listening: set[Address] = set()
        self.held = 0
        """Connects, threads and frozen sections under way."""
        self.stalls = 0
        """Times that patience ran out; 0 in a clean run."""
        self._open: set[Ends] = set()
        self._bytes: dict[Ends, int] = {}
        self._unseen: set[Ends] = set()
        """Ends that have not yet noticed a connect or a close."""

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way."""
        return not (self._bytes or self._unseen or self.held)

    def opened(self, here: Ends) -> None:
        """Note that one end of a connection exists."""
        there = here[::-1]
        self._open.add(here)
        self._unseen.discard(here)
        if there not in self._open and here[1] in self.listening:
            self._unseen.add(there)

    def sent(self, here: Ends, count: int) -> None:
        """Note bytes that left one end."""
        there = here[::-1]
        if there in self._open or there in self._unseen:
            self._bytes[there] = self._bytes.get(there, 0) + count

    def received(self, here: Ends, count: int) -> None:
        """Note bytes that arrived; 0 is the end of the stream."""
        if count == 0:
            self._unseen.discard(here)
            return
        left = self._bytes.get(here, 0) - count
        if left > 0:
            self._bytes[here] = left
        else:
            self._bytes.pop(here, None)

    def closed(self, here: Ends) -> None:
        """Note that one end is gone, and what was on its way to it."""
        there = here[::-1]
        self._open.discard(here)
        self._bytes.pop(here, None)
        self._unseen.discard(here)
        if there in self._open:
            self._unseen.add(there)

    def give_up(self) -> None:
        """Forget what never arrived (a peer that stopped reading), so that time can go on."""
        self.stalls += 1
        self._bytes.clear()
        self._unseen.clear()


class CountedSocket(socket.socket):
    """A socket that keeps the ledger."""

    ledger: Ledger
    ends: Ends | None = None

    @classmethod
    def taking_over(cls, plain: socket.socket, ledger: Ledger) -> "CountedSocket":
        """Return a counted socket on the descriptor of a plain one, which is left empty."""
        counted = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        counted.setblocking(False)
        counted.ledger = ledger
        try:
            counted.ends = (counted.getsockname(), counted.getpeername())
        except OSError:
            return counted  # reset before it was accepted
        ledger.opened(counted.ends)
        return counted

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send and count."""
        count = super().send(data, flags)
        if self.ends is not None:
            self.ledger.sent(self.ends, count)
        return count

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive and count."""
        try:
            data = super().recv(bufsize, flags)
        except ConnectionError:
            self._note_end()
            raise
        if self.ends is not None:
            self.ledger.received(self.ends, len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer and count."""
        try:
            count = super().recv_into(buffer, nbytes, flags)
        except ConnectionError:
            self._note_end()
            raise
        if self.ends is not None:
            self.ledger.received(self.ends, count)
        return count

    def _note_end(self) -> None:
        if self.ends is not None:
            self.ledger.received(self.ends, 0)

    def close(self) -> None:
        """Close and count."""
        if self.ends is not None:
            self.ledger.closed(self.ends)
            self.ends = None
        super().close()


class _VirtualSelector(selectors.DefaultSelector):
    """Looks at the sockets first, and lets time jump only when they are quiet."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.jump: Callable[[float], None] = lambda _: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return ready sockets, in the order of their numbers so that two runs agree."""
        ready = super().select(0)
        if not ready and timeout != 0:
            ready = self._wait(timeout)
        ready.sort(key=lambda item: item[0].fd)
        return ready

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.ledger.held:
            return super().select(PATIENCE_S)
        if timeout is None:
            return super().select(None if self.ledger.quiet else PATIENCE_S)
        if self.ledger.quiet:
            self.jump(timeout)
            return []
        ready = super().select(PATIENCE_S)
        if not ready:
            self.ledger.give_up()
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The event loop behind :func:`run_virtual`; its time starts at 0."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        selector = _VirtualSelector(self.ledger)
        selector.jump = self._jump
        self._virtual_s = 0.0
        super().__init__(selector)

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual_s

    def _jump(self, seconds: float) -> None:
        self._virtual_s += seconds

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect; time stands until the handshake is over."""
        with self._holding():
            await super().sock_connect(sock, address)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override] # *Ts
        """Run in a thread; time stands until its result is here."""
        self.ledger.held += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: self._release())
        return future

    def _release(self) -> None:
        self.ledger.held -= 1

    @contextmanager
    def _holding(self) -> Iterator[None]:
        self.ledger.held += 1
        try:
            yield
        finally:
            self._release()

    # asyncio offers no public place to count bytes, so the three methods below hook into its selector transports

    def _make_socket_transport(self, sock: socket.socket, *args: Any, **options: Any) -> asyncio.Transport:
        counted = CountedSocket.taking_over(sock, self.ledger)
        made: asyncio.Transport = super()._make_socket_transport(counted, *args, **options)  # type: ignore[misc] # untyped in asyncio
        return made

    def _start_serving(self, protocol_factory: Any, sock: socket.socket, *args: Any, **options: Any) -> None:
        self.ledger.listening.add(sock.getsockname())
        super()._start_serving(protocol_factory, sock, *args, **options)  # type: ignore[misc] # untyped in asyncio

    def _stop_serving(self, sock: socket.socket) -> None:
        self.ledger.listening.discard(sock.getsockname())
        super()._stop_serving(sock)  # type: ignore[misc] # untyped in asyncio


@contextmanager
def freeze() -> Iterator[None]:
    """Let virtual time stand while something outside the loop works (a solver's process); does nothing under a real clock."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        yield
        return
    with loop._holding():
        yield


def run_virtual(main: Callable[[VirtualClock], Awaitable[T]], epoch: datetime) -> T:
    """Run ``main(clock)`` in virtual time starting at ``epoch`` and return its result.

    Everything that waits by the loop (sleeps, time-outs, back-offs) takes virtual seconds only.
    """

    async def body() -> T:
        return await main(VirtualClock(asyncio.get_running_loop(), epoch))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(body())


def stalls(loop: asyncio.AbstractEventLoop) -> int:
    """Return how often a virtual loop had to give up waiting for something on its way; 0 for other loops."""
    return loop.ledger.stalls if isinstance(loop, VirtualLoop) else 0
