"""A fault proxy: stands between a client and a Modbus device and does to their frames what bad lines and gateways do.

For tests and for people who commission real plants: point the bridge at the proxy, the proxy at the device, and give it a plan.
All time is the event loop's, so a plan runs the same in real and in virtual time.
"""

import asyncio
import random
import struct
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

MBAP = struct.Struct(">HHHB")


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
    BYTEWISE = "bytewise"
    """The reply comes byte by byte."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault from ``start_s`` to ``end_s`` (after the proxy's start), on a ``share`` of the frames.

    ``functions`` limits it to frames of these function codes; empty means all. ``code`` is the exception code to answer with.
    """

    kind: Kind
    start_s: float = 0.0
    end_s: float = float("inf")
    share: float = 1.0
    delay_s: float = 0.0
    code: int = 4
    functions: tuple[int, ...] = ()

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
        self.faults = list(faults)
        self.injected: Counter[Kind] = Counter()
        self._target = (host, port)
        self._rtu = framer == "rtu"
        self._draws = random.Random(seed)
        self._first_answers: dict[bytes, bytes] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = 0.0

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> int:
        """Listen, on this machine alone unless told otherwise, and return the port."""
        self._started = asyncio.get_running_loop().time()
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def active(self, kind: Kind, function: int | None = None) -> Fault | None:
        """Return the fault of a kind that strikes a frame of this function code, None when it is spared."""
        now = asyncio.get_running_loop().time() - self._started
        for fault in self.faults:
            if fault.strikes(kind, now, function) and self._draws.random() < fault.share:
                self.injected[kind] += 1
                return fault
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        try:
            if not self.active(Kind.REFUSE):
                await self._carry(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side hung up, or the proxy stops
        finally:
            self._open.discard(writer)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        asked: list[bytes] = []
        back = asyncio.create_task(self._replies(up_reader, writer, asked))
        self._tasks.add(back)
        back.add_done_callback(self._tasks.discard)
        self._open.add(up_writer)
        try:
            while True:
                frame = await self._request(reader)
                await self._forward(frame, up_writer, asked)
        finally:
            back.cancel()
            self._open.discard(up_writer)
            up_writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await up_writer.wait_closed()

    async def _forward(self, frame: bytes, up_writer: asyncio.StreamWriter, asked: list[bytes]) -> None:
        body = self._body(frame)
        if self.active(Kind.DROP_REQUEST, body[0]) or self.active(Kind.BLACK_HOLE, body[0]):
            return
        late = self.active(Kind.DELAY_REQUEST, body[0])
        if late is not None:
            await asyncio.sleep(late.delay_s)
        asked.append(body)
        up_writer.write(frame)
        await up_writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bytes]) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await self._reply(reader)
                question = asked.pop(0) if asked else b""
                if not await self._answer(frame, question, writer):
                    break
        writer.close()

    async def _answer(self, frame: bytes, question: bytes, writer: asyncio.StreamWriter) -> bool:
        """Pass a reply on, or what the plan makes of it; False ends the connection."""
        function = self._body(frame)[0] & 0x7F
        if self.active(Kind.BLACK_HOLE, function) or self.active(Kind.DROP_REPLY, function):
            return True
        if self.active(Kind.RESET, function):
            return False
        late = self.active(Kind.DELAY_REPLY, function)
        if late is not None:
            await asyncio.sleep(late.delay_s)
        frame = self._bent(frame, question)
        if self.active(Kind.BYTEWISE, function):
            for k in range(len(frame)):
                writer.write(frame[k : k + 1])
                await writer.drain()
                await asyncio.sleep(0.001)
        else:
            writer.write(frame * 2 if self.active(Kind.DUPLICATE, function) else frame)
            await writer.drain()
        return True

    def _bent(self, frame: bytes, question: bytes) -> bytes:
        """Return a reply with the faults that change its bytes."""
        body = self._body(frame)
        function = body[0] & 0x7F
        if question[:1] in (b"\x03", b"\x04") and body[0] < 0x80:
            first = self._first_answers.setdefault(question, body)
            body = first if self.active(Kind.REPLAY, function) else body
        refusal = self.active(Kind.EXCEPTION, function)
        if refusal is not None:
            body = bytes([body[0] | 0x80, refusal.code])
        if len(body) > 3 and self.active(Kind.CORRUPT, function):
            place = self._draws.randrange(2, len(body))
            body = body[:place] + bytes([body[place] ^ (1 << self._draws.randrange(8))]) + body[place + 1 :]
        frame = self._framed(frame, body)
        if self.active(Kind.TRUNCATE, function):
            frame = frame[: len(frame) // 2]
        return frame

    def _body(self, frame: bytes) -> bytes:
        return frame[1:-2] if self._rtu else frame[7:]

    def _framed(self, frame: bytes, body: bytes) -> bytes:
        """Return a reply like ``frame`` around other contents."""
        unit, function = frame[0] if self._rtu else frame[6], body[0] & 0x7F
        if self.active(Kind.WRONG_UNIT, function):
            unit = (unit + 1) & 0xFF
        if self._rtu:
            whole = bytes([unit]) + body
            return whole + crc16(whole)
        transaction = MBAP.unpack(frame[:7])[0]
        if self.active(Kind.WRONG_TRANSACTION, function):
            transaction = (transaction + 1) & 0xFFFF
        return MBAP.pack(transaction, 0, len(body) + 1, unit) + body

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        if not self._rtu:
            return await _mbap_frame(reader)
        head = await reader.readexactly(7)
        rest = 2 + head[6] if head[1] in (15, 16) else 1
        return head + await reader.readexactly(rest)

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        if not self._rtu:
            return await _mbap_frame(reader)
        head = await reader.readexactly(3)
        if head[1] >= 0x80:
            return head + await reader.readexactly(2)
        return head + await reader.readexactly(head[2] + 2 if head[1] <= 4 else 5)


async def _mbap_frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(7)
    return head + await reader.readexactly(MBAP.unpack(head)[2] - 1)


def crc16(frame: bytes) -> bytes:
    """Return the checksum of an RTU frame, low byte first.

    Source: Modbus over serial line, specification and implementation guide V1.02, section 6.2.2.
    """
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)
