"""Our own Modbus TCP server: frames as the specification has them, and what pymodbus' server does not do."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.emulators.bank import DeviceBank
from hil.emulators.devices import EmulatedDevice
from hil.emulators.mbap import MbapServer, respond
from hil.emulators.plant import EmulatedPlant
from models.site import Site
from tests.hil.emulated_site import emulated_site

START = datetime(2015, 1, 5, 10, tzinfo=UTC)


def now() -> datetime:
    return START


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> DeviceBank:
    site: Site = emulated_site(tmp_path_factory.mktemp("own"))
    bank = DeviceBank(site, EmulatedPlant(site, 4, START))
    bank.refresh(START + timedelta(minutes=5))
    return bank


def on_server(devices: list[EmulatedDevice], story: Callable[[int], Awaitable[None]]) -> None:
    async def run() -> None:
        server = MbapServer(devices, "127.0.0.1", 0, now)
        port = await server.start()
        try:
            await asyncio.wait_for(story(port), 10)
        finally:
            await server.stop()

    asyncio.run(run())


def frame(body: str, transaction: int = 1, unit: int = 1, protocol: int = 0) -> bytes:
    request = bytes.fromhex(body)
    return b"".join(n.to_bytes(2, "big") for n in (transaction, protocol, len(request) + 1)) + bytes([unit]) + request


async def ask(port: int, *segments: bytes, answers: int = 1) -> list[bytes]:
    """Send segments and return the protocol data units answered, each with its transaction number in front."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for segment in segments:
        writer.write(segment)
        await writer.drain()
        await asyncio.sleep(0.02)
    try:
        for _ in range(answers):
            header = await asyncio.wait_for(reader.readexactly(7), 1)
            body = await reader.readexactly(int.from_bytes(header[4:6], "big") - 1)
            found.append(header[:2] + body)
    except (asyncio.IncompleteReadError, TimeoutError):
        pass
    writer.close()
    return found


def test_requests_glued_together_are_all_answered_in_order(bank: DeviceBank) -> None:
    async def story(port: int) -> None:
        glued = b"".join(frame("0400050001", transaction=t) for t in (7, 8, 9))
        found = await ask(port, glued, answers=3)
        assert [f[:2] for f in found] == [b"\0\7", b"\0\x08", b"\0\x09"]
        assert all(f[2:4] == b"\x04\x02" for f in found)

    on_server([bank.devices["tank"]], story)


def test_a_request_in_pieces_is_answered_once(bank: DeviceBank) -> None:
    async def story(port: int) -> None:
        whole = frame("0400050001")
        assert len(await ask(port, *(whole[k : k + 1] for k in range(len(whole))), answers=2)) == 1

    on_server([bank.devices["tank"]], story)


def test_broken_framing_ends_the_connection_not_the_server(bank: DeviceBank) -> None:
    async def story(port: int) -> None:
        assert await ask(port, frame("0400050001", protocol=5)) == []
        assert await ask(port, bytes.fromhex("000100000fff01040005")) == []
        assert len(await ask(port, frame("0400050001"))) == 1

    on_server([bank.devices["tank"]], story)


def test_strange_units_and_functions_get_their_codes(bank: DeviceBank) -> None:
    async def story(port: int) -> None:
        assert await ask(port, frame("0400050001", unit=9)) == [b"\0\1\x84\x0b"]
        assert await ask(port, frame("2b0e0100")) == [b"\0\1\xab\x01"]
        assert await ask(port, frame("0400050000")) == [b"\0\1\x84\x03"]
        assert await ask(port, frame("04000500")) == [b"\0\1\x84\x03"]
        assert await ask(port, frame("0401f40001")) == [b"\0\1\x84\x02"]

    on_server([bank.devices["tank"]], story)


def test_a_device_for_one_client_lets_one_in(bank: DeviceBank) -> None:
    tank = bank.devices["tank"]
    alone = EmulatedDevice(tank.device, replace(tank.map, single_client=True), tank._tables, bank.plant)

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame("0400050001"))
        assert len(await reader.readexactly(11)) == 11
        assert await ask(port, frame("0400050001")) == []
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        assert len(await ask(port, frame("0400050001"))) == 1

    on_server([alone], story)


def test_a_silent_device_says_nothing(bank: DeviceBank) -> None:
    async def story(port: int) -> None:
        bank.devices["tank"].faults.silent = True
        assert await ask(port, frame("0400050001")) == []
        bank.devices["tank"].faults.silent = False
        assert len(await ask(port, frame("0400050001"))) == 1

    on_server([bank.devices["tank"]], story)


@settings(max_examples=200, deadline=None)
@given(request=st.binary(min_size=1, max_size=60))
def test_no_request_breaks_a_device(request: bytes, bank: DeviceBank) -> None:
    answer = respond(bank.devices["battery"], request, now)
    assert answer[0] & 0x7F == request[0] & 0x7F
    if answer[0] & 0x80:
        assert answer[1] in (1, 2, 3)
