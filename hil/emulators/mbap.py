"""Our own Modbus TCP server: for many devices, for clients that pipeline, and for what pymodbus' server does not do.

It answers every request of a segment in order, closes a connection whose framing is broken instead of going deaf on it, answers an
unknown unit id with 0x0B, and lets one client in at a time where the device allows only one.
"""

import asyncio
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence

from hil.emulators.devices import EmulatedDevice, Refusal
from hil.emulators.server import Now, require_free
from hil.maps.types import Table

HEADER = struct.Struct(">HHHB")
LONGEST = 254
"""Most bytes that a frame may announce after its length field: unit id and protocol data unit."""
NO_SUCH_UNIT = 0x0B
READS = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
MOST = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123}
"""Most items per request by function code."""
COIL_ON, COIL_OFF = 0xFF00, 0x0000


class MbapServer:
    """One Modbus TCP server for the devices of one address, over TLS with ``secure``; ``port`` 0 lets the machine choose."""

    def __init__(
        self, devices: Sequence[EmulatedDevice], host: str, port: int, now: Now, secure: ssl.SSLContext | None = None
    ) -> None:
        self.host, self.port = host, port
        self.units: Mapping[int, EmulatedDevice] = {d.device.unit_id: d for d in devices}
        self.now, self._secure = now, secure
        self.links: set[_Link] = set()
        self.one_client = any(d.map.single_client for d in devices)
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen and return the port; SetupError when the machine refuses."""
        require_free(self.host, self.port, ", ".join(d.device.id for d in self.units.values()))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self), self.host, self.port, ssl=self._secure)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self.links):
            link.close()
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None


class _Link(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: MbapServer) -> None:
        self._server = server
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the client in, or close at once where the device has one already."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio's TCP servers hand over
        self._transport = transport
        if self._server.one_client and self._server.links:
            transport.close()
            return
        self._server.links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Forget the client."""
        self._server.links.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every whole frame that has arrived."""
        self._waiting += data
        answers = []
        while len(self._waiting) >= HEADER.size:
            transaction, protocol, length, unit = HEADER.unpack_from(self._waiting)
            if protocol != 0 or not 2 <= length <= LONGEST:
                self.close()
                return
            if len(self._waiting) < 6 + length:
                break
            request, self._waiting = self._waiting[7 : 6 + length], self._waiting[6 + length :]
            answer = self._answer(unit, request)
            if answer:
                answers.append(HEADER.pack(transaction, 0, len(answer) + 1, unit) + answer)
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _answer(self, unit: int, request: bytes) -> bytes:
        """Return the answer to one request; nothing from a silent device."""
        device = self._server.units.get(unit)
        if device is None:
            return _exception(request, NO_SUCH_UNIT)
        return b"" if device.faults.silent else respond(device, request, self._server.now)


def respond(device: EmulatedDevice, request: bytes, now: Now) -> bytes:
    """Return a device's answer to one protocol data unit."""
    function = request[0]
    handler = _HANDLERS.get(function)
    if handler is None:
        return _exception(request, Refusal.ILLEGAL_FUNCTION)
    try:
        answer = handler(device, request, now)
    except (struct.error, ValueError):
        return _exception(request, Refusal.ILLEGAL_VALUE)  # shorter or longer than it says
    return _exception(request, answer) if isinstance(answer, Refusal) else answer


def _exception(request: bytes, code: int) -> bytes:
    return bytes((request[0] | 0x80, code))


def _read(device: EmulatedDevice, request: bytes, now: Now) -> bytes | Refusal:
    function, address, count = struct.unpack(">BHH", request)
    if not 1 <= count <= MOST[function]:
        return Refusal.ILLEGAL_VALUE
    found = device.read(READS[function], address, count, now())
    if isinstance(found, Refusal):
        return found
    packed = _packed_bits(found) if READS[function].is_bits else struct.pack(f">{count}H", *found)
    return bytes((function, len(packed))) + packed


def _write_one(device: EmulatedDevice, request: bytes, now: Now) -> bytes | Refusal:
    function, address, word = struct.unpack(">BHH", request)
    if function == 5 and word not in (COIL_ON, COIL_OFF):
        return Refusal.ILLEGAL_VALUE
    table = Table.COIL if function == 5 else Table.HOLDING
    refusal = device.write(function, table, address, [word // COIL_ON if function == 5 else word], now())
    return request if refusal is None else refusal


def _write_many(device: EmulatedDevice, request: bytes, now: Now) -> bytes | Refusal:
    function, address, count, size = struct.unpack_from(">BHHB", request)
    body = request[6:]
    expected = (count + 7) // 8 if function == 15 else 2 * count
    if not 1 <= count <= MOST[function] or not size == expected == len(body):
        return Refusal.ILLEGAL_VALUE
    table = Table.COIL if function == 15 else Table.HOLDING
    words = _bits(body, count) if function == 15 else list(struct.unpack(f">{count}H", body))
    refusal = device.write(function, table, address, words, now())
    return request[:5] if refusal is None else refusal


def _packed_bits(flags: Sequence[int]) -> bytes:
    """Return flags as bytes, the first in the lowest bit."""
    packed = bytearray((len(flags) + 7) // 8)
    for k, flag in enumerate(flags):
        packed[k // 8] |= bool(flag) << (k % 8)
    return bytes(packed)


def _bits(packed: bytes, count: int) -> list[int]:
    return [packed[k // 8] >> (k % 8) & 1 for k in range(count)]


_HANDLERS: Mapping[int, Callable[[EmulatedDevice, bytes, Now], bytes | Refusal]] = {
    **dict.fromkeys((1, 2, 3, 4), _read),
    **dict.fromkeys((5, 6), _write_one),
    **dict.fromkeys((15, 16), _write_many),
}
