"""The checksum of RTU frames."""

import struct


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


TABLE = tuple(_entry(byte) for byte in range(256))


def crc16(frame: bytes) -> bytes:
    """Return the checksum of an RTU frame, low byte first.

    Source: Modbus over serial line, specification and implementation guide V1.02, section 6.2.2.
    """
    crc = 0xFFFF
    for byte in frame:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return struct.pack("<H", crc)
