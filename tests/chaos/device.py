"""A device for episodes: registers behind a socket, with a log of its own that the oracle believes."""

import asyncio
import struct

from hil.checksum import crc16

READ_HEAD = struct.Struct(">BHH")


class LoggedDevice:
    """Registers behind a socket, Modbus TCP or RTU over TCP; ``log`` holds (second, who, address, raw) of everything written."""

    heartbeat = 0
    """Address of the counter that moves ten times a second."""

    def __init__(self, framer="socket"):
        self.rtu = framer == "rtu"
        self.registers = {}
        self.log = []
        self.links = set()
        self.server = None

    @property
    def now(self):
        return asyncio.get_running_loop().time()

    async def start(self, port: int = 0) -> int:
        self.server = await asyncio.get_running_loop().create_server(lambda: Line(self), "127.0.0.1", port)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.server.close()
        for line in list(self.links):
            line.transport.close()

    def put(self, who, address, raw):
        """Change a register and log it."""
        self.registers[address] = raw
        self.log.append((self.now, who, address, raw))

    def take(self, address, raw):
        """Take one register that a client writes."""
        self.put("bridge", address, raw)

    def answer(self, body):
        """Return the answer to one protocol data unit."""
        function, address, count = READ_HEAD.unpack_from(body)
        if function in (6, 16):
            words = (count,) if function == 6 else struct.unpack(f">{count}H", body[6:])
            for k, raw in enumerate(words):
                self.take(address + k, raw)
            return body[:5]
        self.registers[self.heartbeat] = int(self.now * 10) % 30000
        words = [self.registers.get(a, 0) for a in range(address, address + count)]
        return struct.pack(f">BB{count}H", function, 2 * count, *words)


class Line(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, device):
        self.device = device
        self.waiting = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.device.links.add(self)

    def connection_lost(self, exc):
        self.device.links.discard(self)

    def data_received(self, data):
        self.waiting += data
        while answer := self.next_rtu() if self.device.rtu else self.next_tcp():
            self.transport.write(answer)

    def next_tcp(self):
        if len(self.waiting) < 8:
            return b""
        length = int.from_bytes(self.waiting[4:6], "big")
        if len(self.waiting) < 6 + length:
            return b""
        frame, self.waiting = self.waiting[: 6 + length], self.waiting[6 + length :]
        body = self.device.answer(frame[7:])
        return frame[:4] + struct.pack(">HB", len(body) + 1, frame[6]) + body

    def next_rtu(self):
        if len(self.waiting) < 8:
            return b""
        length = 9 + self.waiting[6] if self.waiting[1] == 16 else 8
        if len(self.waiting) < length:
            return b""
        frame, self.waiting = self.waiting[:length], self.waiting[length:]
        whole = frame[:1] + self.device.answer(frame[1:-2])
        return whole + crc16(whole)
