"""Answers, taken apart in one go and counted: pymodbus does it register by register, and writes out every answer for a log that nobody keeps."""

import struct

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse


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


def read_quickly(client: AsyncModbusTcpClient) -> None:
    """Let a client take answers apart our way; its own way to be told so copies all of its tables for every connection."""
    client.ctx.framer.decoder.pdu_table = _TABLE


def count_answers(client: AsyncModbusTcpClient) -> CountedRtu:
    """Let a client on RTU frames count its answers."""
    client.ctx.framer = counted = CountedRtu(client.ctx.framer.decoder)
    return counted
