"""A small site and a scripted Modbus device for the bridge's tests: real TCP on loopback, faults on demand."""

import asyncio
import struct
from collections import defaultdict
from pathlib import Path

import pytest

from hil.checksum import crc16
from hil.codec import encode
from hil.maps.bind import bind
from models.carriers import Carrier
from models.components import Battery, Chp, Consumer, Demand, GridConnection, PartLoadMap
from models.site import Device, Location, Networks, Node, Site

BATTERY = Battery(
    id="battery",
    electricity_node="bus",
    charge_max_kw=500.0,
    discharge_max_kw=500.0,
    energy_kwh=1000.0,
    charge_efficiency=0.95,
    discharge_efficiency=0.95,
)
CHP = Chp(
    id="chp",
    electricity_node="bus",
    heat_node="heat",
    gas_node="gas",
    part_load=PartLoadMap(power_kw=(175.0, 700.0), fuel_kw=(598.0, 1750.0), heat_kw=(291.0, 612.0)),
)
GRID = GridConnection(id="grid", electricity_node="bus", import_max_kw=5000.0, export_max_kw=5000.0, contract="power")
FACTORY = Consumer(
    id="factory", demands=(Demand(carrier=Carrier.ELECTRICITY, node="bus", profile="factory_electricity_kw"),)
)
NODES = tuple(Node(id=i, carrier=Carrier(c)) for i, c in (("bus", "electricity"), ("heat", "heat"), ("gas", "gas")))
MAPS = {
    "battery": "sunspec_battery",
    "chp": "gas_engine_chp",
    "grid": "janitza_umg604",
    "factory": "multi_energy_meter",
}


def site_of(*devices):
    return Site(
        name="small",
        title="Small site",
        notice="made for tests",
        currency="CNY",
        location=Location(latitude_deg=36.0, longitude_deg=117.0),
        nodes=NODES,
        assets=(BATTERY, CHP, GRID, FACTORY),
        networks=Networks(),
        contracts=(),
        customers=(),
        devices=devices,
        profiles=None,
        folder=Path(),
    )


class ScriptedDevice:
    """Registers behind a Modbus TCP (or RTU over TCP) socket, with faults that a test switches on."""

    def __init__(self, framer="socket"):
        self.framer = framer
        self.tables = {3: defaultdict(int), 4: defaultdict(int), 1: defaultdict(int), 2: defaultdict(int)}
        self.silent = False
        self.ignore_writes = False
        self.clamp = None
        self.refuse = {}
        """(function, address) → exception code."""
        self.bend = None
        """Function from the answer's bytes behind the unit id to other bytes."""
        self.delays = []
        """Seconds by which the next answers are late."""
        self.heart = None
        self.requests = []
        """(function, address, count or words) as received."""
        self.server = None
        self.links = set()

    @property
    def writes(self):
        return [r for r in self.requests if r[0] in (5, 6, 15, 16)]

    def put(self, point, value):
        for k, word in enumerate(encode(point, value)):
            self.tables[point.table.read_function][point.address + k] = word

    async def start(self, port=0):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for link in list(self.links):
            link.close()
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        self.links.add(writer)
        try:
            while True:
                transaction, unit, request = await self._frame(reader)
                answer = self._answer(request)
                if self.delays:
                    await asyncio.sleep(self.delays.pop(0))
                if answer is None:
                    continue
                writer.write(self._wrapped(transaction, unit, self.bend(answer) if self.bend else answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.links.discard(writer)
            writer.close()

    async def _frame(self, reader):
        if self.framer == "rtu":
            head = await reader.readexactly(6)
            if head[1] == 16:
                head += await reader.readexactly(1)
                head += await reader.readexactly(head[6])
            await reader.readexactly(2)
            return 0, head[0], head[1:]
        transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
        return transaction, unit, await reader.readexactly(length - 1)

    def _wrapped(self, transaction, unit, body):
        if self.framer == "rtu":
            frame = bytes([unit]) + body
            return frame + crc16(frame)
        return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body

    def _answer(self, body):
        function, address = struct.unpack(">BH", body[:3])
        if function in (1, 2, 3, 4):
            count = struct.unpack(">H", body[3:5])[0]
            self.requests.append((function, address, count))
        elif function == 16:
            words = struct.unpack(f">{body[5] // 2}H", body[6:])
            self.requests.append((function, address, words))
        else:
            words = struct.unpack(">H", body[3:5])
            self.requests.append((function, address, words))
        if self.silent:
            return None
        span = range(address, address + (count if function in (1, 2, 3, 4) else len(words)))
        for place in span:
            if (function, place) in self.refuse:
                return struct.pack(">BB", function | 0x80, self.refuse[function, place])
        if function in (3, 4):
            if self.heart is not None:
                self.tables[function][self.heart] = (self.tables[function][self.heart] + 1) & 0xFFFF
            values = [self.tables[function][a] for a in span]
            return struct.pack(f">BB{count}H", function, 2 * count, *values)
        for place, word in zip(span, words, strict=True):
            if not self.ignore_writes:
                self.tables[3][place] = word if self.clamp is None else min(word, self.clamp)
        return body[:5]


class Bench:
    """Scripted devices behind a small site."""

    def __init__(self):
        self.devices = {}
        self.ports = {}

    async def add(self, asset, framer="socket", poll_s=0.1, map_name=None):
        device = Device(id=asset, asset=asset, map=map_name or MAPS[asset], framer=framer, poll_s=poll_s)
        scripted = ScriptedDevice(framer)
        found = bind(site_of(device), device)
        for constant in found.constants:
            for k, word in enumerate(constant.words()):
                scripted.tables[constant.table.read_function][constant.address + k] = word
        beat = found.heartbeat
        if beat is not None:
            scripted.heart = beat.end - 1
        self.ports[asset] = await scripted.start()
        self.devices[asset] = (
            Device(**{f: getattr(device, f) for f in device.__slots__} | {"port": self.ports[asset]}),
            found,
        )
        return scripted, found

    @property
    def site(self):
        return site_of(*(d for d, _ in self.devices.values()))


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def small_site():
    return site_of
