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
LEAST_S, LEAST_SHARE = 2e-9, 1e-15
"""A timer lies at least so far ahead: more than asyncio calls the same instant, and more than the last digit of the time."""
PATIENCE_S = 0.25
"""Real seconds without any event after which something counted as under way is given up."""


class End:
    """One end of a connection, as the ledger knows it."""

    __slots__ = ("open", "peer", "pending", "unseen")

    def __init__(self) -> None:
        self.peer: End = self
        self.open = False
        self.unseen = False
        """It has not yet noticed a connect or a close."""
        self.pending = 0
        """Bytes on their way to it."""


class Ledger:
    """What is on its way between the sockets of one loop."""

    def __init__(self) -> None:
        self.listening: set[Address] = set()
        self.held = 0
        """Connects, threads and frozen sections under way."""
        self.stalls = 0
        """Times that patience ran out; 0 in a clean run."""
        self._ends: dict[Ends, End] = {}
        self._bytes = 0
        self._unseen = 0

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way."""
        return not (self._bytes or self._unseen or self.held)

    def opened(self, here: Ends) -> End:
        """Note that one end of a connection exists, and return it."""
        there = here[::-1]
        end = self._ends.get(here)
        if end is None:
            end, peer = End(), End()
            end.peer, peer.peer = peer, end
            self._ends[here], self._ends[there] = end, peer
            self._mark(peer, here[1] in self.listening)
        end.open = True
        self._mark(end, False)
        return end

    def sent(self, end: End, count: int) -> None:
        """Note bytes that left one end."""
        peer = end.peer
        if peer.open or peer.unseen:
            peer.pending += count
            self._bytes += count

    def received(self, end: End, count: int) -> None:
        """Note bytes that arrived; 0 is the end of the stream."""
        if count == 0:
            self._mark(end, False)
            return
        arrived = min(count, end.pending)
        end.pending -= arrived
        self._bytes -= arrived

    def closed(self, here: Ends, end: End) -> None:
        """Note that one end is gone, and what was on its way to it."""
        self._bytes -= end.pending
        end.pending, end.open = 0, False
        self._mark(end, False)
        self._mark(end.peer, end.peer.open)
        if self._ends.get(here) is end:
            del self._ends[here]
            if not end.peer.open:
                self._ends.pop(here[::-1], None)

    def give_up(self) -> None:
        """Forget what never arrived (a peer that stopped reading), so that time can go on."""
        self.stalls += 1
        for end in self._ends.values():
            end.pending, end.unseen = 0, False
        self._bytes = self._unseen = 0

    def _mark(self, end: End, unseen: bool) -> None:
        self._unseen += unseen - end.unseen
        end.unseen = unseen


class CountedSocket(socket.socket):
    """A socket that keeps the ledger."""

    ledger: Ledger
    ends: Ends
    end: End | None = None

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
        counted.end = ledger.opened(counted.ends)
        return counted

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send and count."""
        count = super().send(data, flags)
        if self.end is not None:
            self.ledger.sent(self.end, count)
        return count

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive and count."""
        try:
            data = super().recv(bufsize, flags)
        except ConnectionError:
            self._note_end()
            raise
        if self.end is not None:
            self.ledger.received(self.end, len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer and count."""
        try:
            count = super().recv_into(buffer, nbytes, flags)
        except ConnectionError:
            self._note_end()
            raise
        if self.end is not None:
            self.ledger.received(self.end, count)
        return count

    def _note_end(self) -> None:
        if self.end is not None:
            self.ledger.received(self.end, 0)

    def close(self) -> None:
        """Close and count."""
        if self.end is not None:
            self.ledger.closed(self.ends, self.end)
            self.end = None
        super().close()


class _VirtualSelector(selectors.DefaultSelector):
    """Looks at the sockets first, and lets time jump only when they are quiet."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.jump: Callable[[float], None] = lambda _: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return ready sockets, in the order of their numbers so that two runs agree."""
        if timeout == 0 and self.ledger.quiet:
            return []  # nothing is on its way, so no socket can have anything
        ready = super().select(0)
        if not ready and timeout != 0:
            ready = self._wait(timeout)
        if len(ready) > 1:
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

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override] # *Ts
        """Call at a time; what lies ahead never comes in the present, where two timers a rounding error apart would wait for ever."""
        if when > self._virtual_s:
            when = max(when, self._virtual_s + LEAST_S + LEAST_SHARE * self._virtual_s)
        return super().call_at(when, callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override] # *Ts
        """Call after so many virtual seconds."""
        return self.call_at(self._virtual_s + delay, callback, *args, context=context)

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
