"""Answers, awaited in one step, taken apart in one go and counted.

pymodbus waits for each in a queue of its own and through several steps of the loop, takes it apart register by register, and writes it
out for a log that nobody keeps. A link has one question under way at a time and needs none of that.
"""

import asyncio
import struct
from functools import partial

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse
from pymodbus.transaction import TransactionManager


class Registers(ReadHoldingRegistersResponse):
    """The answer to a read of holding registers."""

    def decode(self, data: bytes) -> None:
        """Take the registers from an answer whose first byte counts the bytes behind it."""
        if data[0] >= len(data):
            super().decode(data)  # which says what is wrong with it
        self.registers = list(struct.unpack_from(f">{data[0] // 2}H", data, 1))

    def __str__(self) -> str:
        return f"{len(self.registers)} registers"


class InputRegisters(Registers):
    """The answer to a read of input registers."""

    function_code = 4


class CountedRtu(FramerRTU):
    """RTU framing that counts what comes: pymodbus takes the first frame of what has arrived and drops the rest without a word."""

    def __init__(self, decoder: DecodePDU) -> None:
        super().__init__(decoder)
        self.heard = 0
        """Answers since this was last set back; one with anything before or behind it counts as two."""

    def decode(self, data: bytes) -> tuple[int, int, int, bytes]:
        """Take the first whole frame from what has arrived."""
        found = super().decode(data)
        if body := found[3]:
            self.heard += 1 if len(body) + RTU_FRAME_BYTES == len(data) else 2
        return found


RTU_FRAME_BYTES = 3
"""Unit id and checksum around what an RTU frame carries."""
_TABLE = DecodePDU.pdu_table | {3: (Registers, Registers), 4: (InputRegisters, InputRegisters)}


def ask_quickly(client: AsyncModbusTcpClient) -> None:
    """Let a client await answers and take them apart our way; its own way to be told so copies all of its tables for every connection."""
    client.ctx.framer.decoder.pdu_table = _TABLE
    client.ctx.execute = partial(_exchange, client.ctx)  # type: ignore[method-assign] # its place in every request


async def _exchange(line: TransactionManager, no_answer: bool, request: ModbusPDU) -> ModbusPDU:
    """Send one request and return what answers it; ModbusIOException when nothing does in time."""
    del no_answer  # every device that is written to answers
    loop = asyncio.get_running_loop()
    request.transaction_id = line.getNextTID()
    line.recv_buffer = b""
    answer: asyncio.Future[ModbusPDU] = loop.create_future()
    line.response_future = answer
    timer = loop.call_later(line.comm_params.timeout_connect, _give_up, answer)
    try:
        line.pdu_send(request)
        return await answer
    finally:
        timer.cancel()


def _give_up(answer: asyncio.Future[ModbusPDU]) -> None:
    """End the wait for an answer."""
    if not answer.done():
        answer.set_exception(ModbusIOException("it did not come in time"))


def count_answers(client: AsyncModbusTcpClient) -> CountedRtu:
    """Let a client on RTU frames count its answers."""
    client.ctx.framer = counted = CountedRtu(client.ctx.framer.decoder)
    return counted
