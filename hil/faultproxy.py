"""A fault proxy: stands between a client and a Modbus device and does to their frames what bad lines and gateways do.

For tests and for people who commission real plants: point the bridge at the proxy, the proxy at the device, and give it a plan.
All time is the event loop's, so a plan runs the same in real and in virtual time.
"""

import asyncio
import random
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hil.checksum import crc16

MBAP = struct.Struct(">HHHB")
WRITE_FUNCTIONS = (5, 6, 15, 16)
BYTE_S = 0.001
"""Pause between two bytes of a reply that comes byte by byte."""


class Kind(StrEnum):
    """What happens to a frame."""

    DROP_REQUEST = "drop_request"
    DROP_REPLY = "drop_reply"
    DELAY_REQUEST = "delay_request"
    """The device gets the request late, even when the client has gone meanwhile."""
    DELAY_REPLY = "delay_reply"
    RESET = "reset"
    """The connection is torn down instead of carrying the reply."""
    BLACK_HOLE = "black_hole"
    """Nothing passes either way; the connection stays open."""
    REFUSE = "refuse"
    """New connections are closed at once."""
    EXCEPTION = "exception"
    """The reply is replaced by the exception ``code``."""
    CORRUPT = "corrupt"
    """One bit of the reply's data is turned."""
    TRUNCATE = "truncate"
    REPLAY = "replay"
    """A read is answered with what the same read was answered first: a gateway that shows a device long gone."""
    WRONG_UNIT = "wrong_unit"
    WRONG_TRANSACTION = "wrong_transaction"
    DUPLICATE = "duplicate"
    """The reply comes twice."""
    GLUE = "glue"
    """The reply before comes once more, in one segment with this one."""
    BYTEWISE = "bytewise"
    """The reply comes byte by byte."""
    IGNORE = "ignore"
    """A write is acknowledged and never reaches the device."""
    CLAMP = "clamp"
    """The device gets at most ``most`` where more is written to one register; the answer says what was asked."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault from ``start_s`` to ``end_s`` (after the proxy's start), on a ``share`` of the frames.

    ``functions`` limits it to frames of these function codes; empty means all. ``code`` is the exception code to answer with,
    ``most`` the highest register value that a clamping device takes.
    """

    kind: Kind
    start_s: float = 0.0
    end_s: float = float("inf")
    share: float = 1.0
    delay_s: float = 0.0
    code: int = 4
    functions: tuple[int, ...] = ()
    most: int = 0xFFFF

    def strikes(self, kind: Kind, at_s: float, function: int | None) -> bool:
        """Return whether a frame at this time is in the fault's reach."""
        reached = not self.functions or function in self.functions
        return self.kind is kind and self.start_s <= at_s < self.end_s and reached


class FaultProxy:
    """Forwards one address, with faults; ``injected`` counts what was done.

    ``framer`` is ``socket`` (Modbus TCP) or ``rtu`` (RTU frames over TCP). The same seed, plan and traffic give the same faults.
    """

    def __init__(
        self, host: str, port: int, faults: Sequence[Fault] = (), *, framer: str = "socket", seed: int = 0
    ) -> None:
        self.faults = tuple(faults)
        self._kinds = frozenset(f.kind for f in faults)
        self.injected: Counter[Kind] = Counter()
        self.target = (host, port)
        self.rtu = framer == "rtu"
        self.draws = random.Random(seed)
        self.first_answers: dict[bytes, bytes] = {}
        self.open: set[asyncio.BaseTransport] = set()
        self._server: asyncio.Server | None = None
        self._started = 0.0

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> int:
        """Listen, on this machine alone unless told otherwise, and return the port."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        self._server = await loop.create_server(lambda: _Client(self), host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self.open):
            transport.close()
        await asyncio.sleep(0)  # the transports tell their ends

    def active(self, kind: Kind, function: int | None = None) -> Fault | None:
        """Return the fault of a kind that strikes a frame of this function code, None when it is spared."""
        if kind not in self._kinds:
            return None
        now = asyncio.get_running_loop().time() - self._started
        for fault in self.faults:
            if fault.strikes(kind, now, function) and self.draws.random() < fault.share:
                self.injected[kind] += 1
                return fault
        return None

    def frames(self, waiting: bytes, *, replies: bool) -> tuple[list[bytes], bytes]:
        """Cut what has arrived into whole frames and the rest."""
        found = []
        while (length := self._length(waiting, replies)) is not None and len(waiting) >= length:
            found.append(waiting[:length])
            waiting = waiting[length:]
        return found, waiting

    def _length(self, waiting: bytes, replies: bool) -> int | None:
        """Return how long the first frame is, None while that cannot be said."""
        if len(waiting) < 7 - 4 * self.rtu * replies:
            return None
        if not self.rtu:
            return 6 + int(MBAP.unpack_from(waiting)[2])
        if not replies:
            return 9 + waiting[6] if waiting[1] in (15, 16) else 8
        if waiting[1] >= 0x80:
            return 5
        return 5 + waiting[2] if waiting[1] <= 4 else 8

    def body(self, frame: bytes) -> bytes:
        """Return function code and data of a frame."""
        return frame[1:-2] if self.rtu else frame[7:]

    def like(self, frame: bytes, body: bytes) -> bytes:
        """Return a frame like ``frame`` around other contents."""
        if self.rtu:
            whole = frame[:1] + body
            return whole + crc16(whole)
        return frame[:4] + struct.pack(">HB", len(body) + 1, frame[6]) + body


class _Lane:
    """Frames of one direction, one after another: what holds one up holds up all behind it.

    ``carry`` does the work on a frame and yields the seconds that it takes in between; ``idle`` is told when nothing is left.
    """

    def __init__(self, carry: Callable[[bytes], Iterator[float]], idle: Callable[[], None]) -> None:
        self._carry, self._idle = carry, idle
        self._waiting: deque[bytes] = deque()
        self._steps: Iterator[float] | None = None

    @property
    def busy(self) -> bool:
        """Whether a frame is under way."""
        return self._steps is not None

    def push(self, frame: bytes) -> None:
        """Take a frame."""
        self._waiting.append(frame)
        if not self.busy:
            self._go_on()

    def _go_on(self) -> None:
        while True:
            if self._steps is None:
                if not self._waiting:
                    break
                self._steps = self._carry(self._waiting.popleft())
            pause_s = next(self._steps, None)
            if pause_s is not None:
                asyncio.get_running_loop().call_later(pause_s, self._go_on)
                return
            self._steps = None
        self._idle()


class _Client(asyncio.Protocol):
    """The connection that a client has made, and the one to the device behind it."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._down: asyncio.Transport | None = None
        self._up: asyncio.Transport | None = None
        self._waiting = b""
        self._early: list[bytes] = []
        """Frames that came before the device was connected."""
        self._asked: deque[bytes] = deque()
        self._last = b""
        self._requests = _Lane(self._forward, self._hang_up)
        self._replies = _Lane(self._answer, lambda: None)
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the device, or close at once when the plan says so."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio's TCP servers hand over
        self._down = transport
        self._proxy.open.add(transport)
        if self._proxy.active(Kind.REFUSE):
            transport.close()
            return
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            up, _ = await loop.create_connection(lambda: _Device(self, self._proxy), *self._proxy.target)
        except OSError:
            if self._down is not None:
                self._down.close()
            return
        self._up = up
        self._proxy.open.add(up)
        early, self._early = self._early, []
        for frame in early:
            self._requests.push(frame)
        self._hang_up()

    def data_received(self, data: bytes) -> None:
        """Take in the client's requests."""
        frames, self._waiting = self._proxy.frames(self._waiting + data, replies=False)
        for frame in frames:
            if self._up is None:
                self._early.append(frame)
            else:
                self._requests.push(frame)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Let what is held up still reach the device, then hang up there too."""
        if self._down is not None:
            self._proxy.open.discard(self._down)
        self._down = None
        self._hang_up()

    def _hang_up(self) -> None:
        if self._down is None and self._up is not None and not self._requests.busy:
            self._proxy.open.discard(self._up)
            self._up.close()

    def device_gone(self) -> None:
        """Close the client's connection, as the device has closed its own."""
        if self._down is not None:
            self._down.close()

    def reply(self, frame: bytes) -> None:
        """Take in a reply of the device."""
        self._replies.push(frame)

    def _send(self, frame: bytes) -> None:
        if self._down is not None and not self._down.is_closing():
            self._down.write(frame)

    def _forward(self, frame: bytes) -> Iterator[float]:
        """Pass a request on, or what the plan makes of it."""
        if not self._proxy.faults:
            if self._up is not None and not self._up.is_closing():
                self._up.write(frame)
            return
        proxy, body = self._proxy, self._proxy.body(frame)
        function = body[0]
        if proxy.active(Kind.DROP_REQUEST, function) or proxy.active(Kind.BLACK_HOLE, function):
            return
        if function in WRITE_FUNCTIONS and proxy.active(Kind.IGNORE, function):
            self._send(proxy.like(frame, body[:5]))
            return
        late = proxy.active(Kind.DELAY_REQUEST, function)
        if late is not None:
            yield late.delay_s
        self._asked.append(body)
        if self._up is not None and not self._up.is_closing():
            self._up.write(self._clamped(frame, body))

    def _clamped(self, frame: bytes, body: bytes) -> bytes:
        clamp = self._proxy.active(Kind.CLAMP, 6) if body[0] == 6 else None
        if clamp is None or int.from_bytes(body[3:5], "big") <= clamp.most:
            return frame
        return self._proxy.like(frame, body[:3] + clamp.most.to_bytes(2, "big"))

    def _answer(self, frame: bytes) -> Iterator[float]:
        """Pass a reply on, or what the plan makes of it."""
        proxy = self._proxy
        if not proxy.faults:
            self._send(frame)
            return
        question = self._asked.popleft() if self._asked else b""
        function = proxy.body(frame)[0] & 0x7F
        if proxy.active(Kind.BLACK_HOLE, function) or proxy.active(Kind.DROP_REPLY, function):
            return
        if proxy.active(Kind.RESET, function):
            self.device_gone()
            return
        late = proxy.active(Kind.DELAY_REPLY, function)
        if late is not None:
            yield late.delay_s
        before, self._last = self._last, self._bent(frame, question)
        if proxy.active(Kind.BYTEWISE, function):
            for k in range(len(self._last)):
                self._send(self._last[k : k + 1])
                yield BYTE_S
            return
        twice = self._last if proxy.active(Kind.DUPLICATE, function) else b""
        self._send((before if proxy.active(Kind.GLUE, function) else b"") + self._last + twice)

    def _bent(self, frame: bytes, question: bytes) -> bytes:
        """Return a reply with the faults that change its bytes."""
        proxy, body = self._proxy, self._proxy.body(frame)
        function = body[0] & 0x7F
        if question[:1] == b"\x06" and body[:1] == b"\x06":
            body = question  # a device that clamps answers as if it did not
        if question[:1] in (b"\x03", b"\x04") and body[0] < 0x80:
            first = proxy.first_answers.setdefault(question, body)
            body = first if proxy.active(Kind.REPLAY, function) else body
        refusal = proxy.active(Kind.EXCEPTION, function)
        if refusal is not None:
            body = bytes([body[0] | 0x80, refusal.code])
        if len(body) > 3 and proxy.active(Kind.CORRUPT, function):
            place = proxy.draws.randrange(2, len(body))
            body = body[:place] + bytes([body[place] ^ (1 << proxy.draws.randrange(8))]) + body[place + 1 :]
        frame = proxy.like(self._readdressed(frame, function), body)
        return frame[: len(frame) // 2] if proxy.active(Kind.TRUNCATE, function) else frame

    def _readdressed(self, frame: bytes, function: int) -> bytes:
        """Return a reply under another unit id or transaction number where the plan says so."""
        proxy, unit_at = self._proxy, 0 if self._proxy.rtu else 6
        if proxy.active(Kind.WRONG_UNIT, function):
            frame = frame[:unit_at] + bytes([(frame[unit_at] + 1) & 0xFF]) + frame[unit_at + 1 :]
        if not proxy.rtu and proxy.active(Kind.WRONG_TRANSACTION, function):
            transaction = (MBAP.unpack_from(frame)[0] + 1) & 0xFFFF
            frame = transaction.to_bytes(2, "big") + frame[2:]
        return frame


class _Device(asyncio.Protocol):
    """The proxy's own connection to the device."""

    def __init__(self, client: _Client, proxy: FaultProxy) -> None:
        self._client, self._proxy = client, proxy
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        """Take in the device's replies."""
        frames, self._waiting = self._proxy.frames(self._waiting + data, replies=True)
        for frame in frames:
            self._client.reply(frame)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Tell the client."""
        self._client.device_gone()
