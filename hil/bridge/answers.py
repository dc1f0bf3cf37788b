"""Answers to reads, taken apart in one go: pymodbus does it register by register, and writes out every answer for a log that nobody keeps."""

import struct

from pymodbus.client import AsyncModbusTcpClient
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


_TABLE = DecodePDU.pdu_table | {3: (Registers, Registers), 4: (InputRegisters, InputRegisters)}


def read_quickly(client: AsyncModbusTcpClient) -> None:
    """Let a client take answers apart our way; its own way to be told so copies all of its tables for every connection."""
    client.ctx.framer.decoder.pdu_table = _TABLE
