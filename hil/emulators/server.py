"""Modbus TCP servers in front of emulated devices."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, cast

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hil.emulators.devices import EmulatedDevice, Refusal
from hil.emulators.image import TableImage
from hil.maps.types import Table
from models.errors import SetupError

Now = Callable[[], datetime]
READS = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT, 22: Table.HOLDING, 23: Table.HOLDING}
WRITES = {5: Table.COIL, 15: Table.COIL, 6: Table.HOLDING, 16: Table.HOLDING, 22: Table.HOLDING, 23: Table.HOLDING}
SPARE = 16
"""Registers served for a table that a device does not have; every request for them is refused."""


class DeviceServer(Protocol):
    """Something that serves devices on one address; several unit ids may share it."""

    port: int

    async def start(self) -> int:
        """Listen and return the port; SetupError when the machine refuses."""
        ...

    async def stop(self) -> None:
        """Close the listener and every connection."""
        ...


class PymodbusServer:
    """One server by pymodbus, Modbus TCP or RTU over TCP as its devices say; ``port`` 0 lets the machine choose."""

    def __init__(self, devices: Sequence[EmulatedDevice], host: str, port: int, now: Now) -> None:
        self.host, self.port = host, port
        self._devices = tuple(devices)
        self._now = now
        self._server: ModbusTcpServer | None = None

    async def start(self) -> int:
        """Listen and return the port.

        Raises
        ------
        SetupError
            If the address is in use, not this machine's, or not ours to take.
        """
        names = ", ".join(d.device.id for d in self._devices)
        require_free(self.host, self.port, names)
        framer = FramerType.RTU if any(d.device.framer == "rtu" for d in self._devices) else FramerType.SOCKET
        served = [_sim_device(d, self._now) for d in self._devices]
        server = ModbusTcpServer(served, framer=framer, address=(self.host, self.port))
        await server.serve_forever(background=True)
        listener = cast(asyncio.Server, server.transport)
        self.port = int(listener.sockets[0].getsockname()[1])
        self._server = server
        return self.port

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call] # pymodbus leaves it so
        self._server = None


def require_free(host: str, port: int, names: str) -> None:
    """Do nothing when one may listen on the address.

    Raises
    ------
    SetupError
        In one line: which address, for what, and why not.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise SetupError(f"{names} cannot listen on {host}:{port}: {_why(fault)}") from fault


def _why(fault: OSError) -> str:
    if fault.errno == errno.EADDRINUSE:
        return "the port is in use; stop the other program or choose another base port"
    if fault.errno == errno.EACCES:
        return "ports below 1024 need privileges; choose a higher base port"
    return f"{fault.strerror or fault}; use an address of this machine"


def _sim_device(device: EmulatedDevice, now: Now) -> SimDevice:
    """Return the device as pymodbus serves it: every access is handed to the device, whose own registers are the truth."""

    async def access(
        function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        if device.faults.silent:
            raise asyncio.CancelledError  # ends this request's task, so that nothing is answered
        if values is None and function not in READS:
            return (
                None  # the server composes its echo of a write; a device echoes what was asked, whatever it made of it
            )
        if values is None:
            refusal = _show(device, READS[function], start, address, count, registers, now())
        else:
            words = [int(v) for v in values]
            refusal = device.write(function, WRITES[function], address, words, now())
        return None if refusal is None else ExcCodes(refusal)

    def block(table: Table, kind: DataType) -> list[SimData]:
        image = device.image(table)
        start, count = (image.start, image.end - image.start) if image else (0, SPARE)
        if kind is DataType.BITS:
            first = start - start % 16
            return [SimData(first, values=[False] * (-(-(start + count - first) // 16) * 16), datatype=kind)]
        return [SimData(start, values=0, count=count, datatype=kind)]

    bits, words = DataType.BITS, DataType.UINT16
    return SimDevice(
        id=device.device.unit_id,
        action=access,
        simdata=(
            block(Table.COIL, bits),
            block(Table.DISCRETE, bits),
            block(Table.HOLDING, words),
            block(Table.INPUT, words),
        ),
    )


def _show(
    device: EmulatedDevice, table: Table, start: int, address: int, count: int, registers: list[int], at: datetime
) -> Refusal | None:
    """Copy the device's registers into the server's before it answers."""
    if table.is_bits:
        return _show_bits(device.image(table), start, registers)
    found = device.read(table, address, count, at)
    if isinstance(found, Refusal):
        return found
    registers[address - start : address - start + count] = found
    return None


def _show_bits(image: TableImage | None, start: int, registers: list[int]) -> Refusal | None:
    """Copy a whole table of bits, sixteen to a register, lowest address in the lowest bit."""
    if image is None:
        return Refusal.ILLEGAL_ADDRESS
    packed = [0] * len(registers)
    for address, flag in enumerate(image.read(image.start, image.end - image.start), image.start):
        packed[address // 16 - start] |= flag << (address % 16)
    registers[:] = packed
    return None
