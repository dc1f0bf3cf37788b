"""One connection to one address: a request in flight at a time, every answer checked against its question."""

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from hil.bridge.answers import CountedRtu, ask_quickly, count_answers
from hil.certificates import why_refused
from hil.frames import WriteFrame
from hil.maps.types import Table
from models.errors import AnswerError, RefusedError, UnreachableError
from models.ports import Clock
from models.told import told

# pymodbus prints every failed request with its last frames; the bridge tells it in its own words
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class NotSentError(UnreachableError):
    """The link was down before the request, so nothing left this machine."""


BACK_OFF_MIN_S = 0.2
BACK_OFF_MAX_S = 5.0


@dataclass(slots=True)
class LinkStats:
    """What went over one connection."""

    requests: int = 0
    failures: int = 0
    misfits: int = 0
    """Answers that did not fit their question."""
    connects: int = 0


class Turn:
    """A lock with two queues: writes pass reads that are still waiting."""

    def __init__(self) -> None:
        self._busy = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._patient: deque[asyncio.Future[None]] = deque()

    async def take(self, *, urgent: bool = False) -> None:
        """Wait for the line and hold it."""
        if self._busy:
            await self._queue(self._urgent if urgent else self._patient)
        self._busy = True

    def give(self) -> None:
        """Hand the line to the next in the queues."""
        self._pass_on()

    async def _queue(self, queue: deque[asyncio.Future[None]]) -> None:
        waiter = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        for queue in (self._urgent, self._patient):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    return
        self._busy = False


class Link:
    """A Modbus connection with its own supervision.

    ``name`` seeds the jitter of its back-off, so that a run repeats itself whatever ports it gets.

    A link that fails is closed at once (a late answer on a serial gateway would shift all later ones) and opened again by the
    next request whose back-off has passed. Every method raises only :class:`UnreachableError`, :class:`AnswerError` or
    :class:`RefusedError`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        framer: str,
        clock: Clock,
        *,
        timeout_s: float = 1.0,
        pause_after_connect_s: float = 0.0,
        pause_between_s: float = 0.0,
        back_off_max_s: float = BACK_OFF_MAX_S,
        name: str | None = None,
        secure: ssl.SSLContext | None = None,
        server_name: str = "",
    ) -> None:
        self.host, self.port, self.framer = host, port, framer
        self.timeout_s = timeout_s
        self.stats = LinkStats()
        self._clock = clock
        self._pause_after_connect_s = pause_after_connect_s
        self._pause_between_s = pause_between_s
        self._back_off_max_s = min(max(back_off_max_s, BACK_OFF_MIN_S), BACK_OFF_MAX_S)
        self._secure, self._server_name = secure, server_name or host
        self._why = ""
        """Why TLS ended, where it did."""
        self._asking = False
        self._turn = Turn()
        self._client: AsyncModbusTcpClient | None = None
        self._counted: CountedRtu | None = None
        """What counts the answers where they do not say which question is theirs."""
        self._back_off_s = 0.0
        self._retry_at = 0.0
        self._jitter = random.Random(name or f"{host}:{port}")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._client is not None and self._client.connected

    @property
    def retry_at(self) -> float:
        """Loop time before which a closed link is not opened again."""
        return self._retry_at

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def read(self, unit: int, table: Table, start: int, count: int, *, urgent: bool = False) -> Sequence[int]:
        """Return ``count`` registers (bits as 0 and 1) from ``start``."""
        await self._turn.take(urgent=urgent)
        try:
            client = await self._ready()
            answer = await self._ask(_read_request(client, unit, table, start, count), table.read_function)
            return self._checked_read(answer, table, count)
        finally:
            self._turn.give()

    async def write(self, frame: WriteFrame) -> None:
        """Send one write and check its echo; the device may still have clamped or ignored it."""
        await self._turn.take(urgent=True)
        try:
            client = await self._ready()
            answer = await self._ask(_write_request(client, frame), frame.function)
            if not _echoes(answer, frame):
                self._misfit(f"the echo of {frame} was address {answer.address}")
        finally:
            self._turn.give()

    async def open(self) -> None:
        """Connect now unless the link stands or its back-off has not passed."""
        await self._turn.take()
        try:
            await self._ready()
        finally:
            self._turn.give()

    async def _ready(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            if self._pause_between_s:
                await asyncio.sleep(self._pause_between_s)
            return self._client
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            raise NotSentError(f"{self} is down; next try in {self._retry_at - loop.time():.1f} s")
        self.close()
        client = AsyncModbusTcpClient(
            self.host,
            port=self.port,
            framer=FramerType.RTU if self.framer == "rtu" else FramerType.SOCKET,
            timeout=self.timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._on_trace,
        )
        ask_quickly(client)
        self._counted = count_answers(client) if self.framer == "rtu" else None
        self._client = client
        self._why = ""
        if self._secure is not None:
            self._wrap_in_tls(client, self._secure)
        if not await self._connect(client):
            self._fail()
            why = self._why or told("device_on", "is the device on?")
            raise NotSentError(told("no_connection", "{link} accepts no connection: {why}", link=str(self), why=why))
        if self._secure is not None:
            # TLS 1.3 lets a device look at our certificate after we count as connected; it then just hangs up
            self._why = "it closed before its first answer; does it accept our certificate?"
        self.stats.connects += 1
        if self._pause_after_connect_s:
            await asyncio.sleep(self._pause_after_connect_s)
        return client

    async def _connect(self, client: AsyncModbusTcpClient) -> bool:
        try:
            return await client.connect()
        except (ModbusException, OSError):
            return False

    def _wrap_in_tls(self, client: AsyncModbusTcpClient, context: ssl.SSLContext) -> None:
        """Let a client connect over TLS with the framing of Modbus TCP, which pymodbus's own TLS client does not cut into frames."""
        create: Callable[..., Awaitable[object]] = client.ctx.call_create

        async def call() -> object:
            try:
                return await create(ssl=context, server_hostname=self._server_name)
            except ssl.SSLError as problem:
                self._why = why_refused(problem)
                raise

        client.ctx.call_create = call

    def _on_trace(self, connected: bool) -> None:
        """Wake a waiting request when its connection goes: pymodbus would let it run into the time-out."""
        if connected or self._client is None or not self._asking:
            return
        waiting = self._client.ctx.response_future
        if not waiting.done():
            waiting.set_exception(ConnectionResetError("it closed the connection; is the device on?"))

    async def _ask(self, request: Awaitable[ModbusPDU], function: int) -> ModbusPDU:
        self.stats.requests += 1
        self._asking = True
        try:
            answer = await request
        except (ModbusException, OSError) as problem:
            self._fail()
            why = self._why or str(problem)
            raise UnreachableError(told("no_answer", "{link} gave no answer: {why}", link=str(self), why=why)) from None
        except BaseException:
            # cancelled: the answer may still come, and must not meet the next question
            self.close()
            raise
        finally:
            self._asking = False
        if self._counted is not None:
            if self._counted.heard > 1:
                self._misfit("more than one answer came, and RTU frames do not say which belongs to the question")
            self._counted.heard = 0
        if answer.function_code & 0x7F != function:
            self._misfit(f"asked function {function}, answered {answer.function_code}")
        self._back_off_s, self._why = 0.0, ""
        if answer.isError():
            code = int(getattr(answer, "exception_code", 4))
            raise RefusedError(f"{self} refused with exception {code:#04x}", code)
        return answer

    def _fail(self) -> None:
        """Close, and double the wait before the next connect; the jitter keeps many links from knocking at once."""
        self.stats.failures += 1
        self.close()
        self._back_off_s = min(max(2 * self._back_off_s, BACK_OFF_MIN_S), self._back_off_max_s)
        wait = self._back_off_s * (1.0 - 0.2 * self._jitter.random())
        self._retry_at = asyncio.get_running_loop().time() + wait

    def _misfit(self, words: str) -> NoReturn:
        self.stats.misfits += 1
        self._fail()
        raise AnswerError(f"{self}: {words}; nothing in it was used")

    def _checked_read(self, answer: ModbusPDU, table: Table, count: int) -> Sequence[int]:
        if table.is_bits:
            if len(answer.bits) != 8 * ((count + 7) // 8):
                self._misfit(f"asked {count} bits, got {len(answer.bits)}")
            return [int(b) for b in answer.bits[:count]]
        if len(answer.registers) != count:
            self._misfit(f"asked {count} registers, got {len(answer.registers)}")
        return answer.registers


def _read_request(
    client: AsyncModbusTcpClient, unit: int, table: Table, start: int, count: int
) -> Awaitable[ModbusPDU]:
    match table:
        case Table.HOLDING:
            return client.read_holding_registers(start, count=count, device_id=unit)
        case Table.INPUT:
            return client.read_input_registers(start, count=count, device_id=unit)
        case Table.COIL:
            return client.read_coils(start, count=count, device_id=unit)
        case Table.DISCRETE:
            return client.read_discrete_inputs(start, count=count, device_id=unit)


def _write_request(client: AsyncModbusTcpClient, frame: WriteFrame) -> Awaitable[ModbusPDU]:
    match frame.function:
        case 5:
            return client.write_coil(frame.address, bool(frame.words[0]), device_id=frame.unit)
        case 6:
            return client.write_register(frame.address, frame.words[0], device_id=frame.unit)
        case 16:
            return client.write_registers(frame.address, list(frame.words), device_id=frame.unit)
        case other:
            raise ValueError(f"function {other} is not used for writing here")


def _echoes(answer: ModbusPDU, frame: WriteFrame) -> bool:
    """Return whether the answer to a write repeats what was asked."""
    if answer.address != frame.address:
        return False
    if frame.function == 5:
        return bool(answer.bits[0]) == bool(frame.words[0])
    if frame.function == 6:
        return list(answer.registers) == list(frame.words)
    return bool(answer.count == len(frame.words))
