"""SunSpec images: the codes by which a SunSpec device says that it does not implement a point.

A SunSpec master finds models by walking from the marker through (id, length) headers and takes every point for measured unless it
holds its type's code for "not implemented". The layouts below are what such a walk needs: the sizes and types of the points in order.

Source: SunSpec Device Information Model Specification 1.1, tables of types and of models 1, 103, 113, 120, 123, 124, 704, 715, 802.
"""

from collections.abc import Iterator, Mapping

from hil.emulators.image import TableImage
from hil.maps.types import Table

MARKER = (0x5375, 0x6E53)
BASES = (40000, 50000, 0)
END = 0xFFFF
NOT_IMPLEMENTED: Mapping[str, tuple[int, ...]] = {
    "int16": (0x8000,),
    "uint16": (0xFFFF,),
    "acc16": (0,),
    "enum16": (0xFFFF,),
    "bitfield16": (0xFFFF,),
    "sunssf": (0x8000,),
    "pad": (0x8000,),
    "int32": (0x8000, 0),
    "uint32": (0xFFFF, 0xFFFF),
    "acc32": (0, 0),
    "enum32": (0xFFFF, 0xFFFF),
    "bitfield32": (0xFFFF, 0xFFFF),
    "float32": (0x7FC0, 0),
    "uint64": (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),
    "string": (0,),
}


def _types(text: str) -> tuple[str, ...]:
    """Return the types of a layout written as ``type*count`` words."""
    words = (word.partition("*") for word in text.split())
    return tuple(kind for kind, _, count in words for _ in range(int(count or 1)))


LAYOUTS: Mapping[int, tuple[str, ...]] = {
    1: _types("string*64 uint16 pad"),
    103: _types(
        "uint16*4 sunssf uint16*6 sunssf int16 sunssf uint16 sunssf int16 sunssf int16 sunssf int16 sunssf acc32 sunssf "
        "uint16 sunssf uint16 sunssf int16 sunssf int16*4 sunssf enum16*2 bitfield32*6"
    ),
    113: _types("float32*23 enum16*2 bitfield32*6"),
    120: _types(
        "enum16 uint16 sunssf uint16 sunssf int16*4 sunssf uint16 sunssf int16*4 sunssf "
        "uint16 sunssf uint16 sunssf uint16 sunssf uint16 sunssf pad"
    ),
    123: _types("uint16*2 enum16 uint16*4 enum16 int16 uint16*3 enum16 int16*3 uint16*3 enum16*2 sunssf*3"),
    704: _types(
        "enum16*2 uint32*2 enum16*2 uint32*2 enum16 uint16*2 enum16 uint32*2 "
        "enum16*2 int32*2 int16*2 enum16 uint32*2 enum16*3 int32*2 int16*2 enum16 uint32*2 "
        "uint16 enum16 uint16 enum16 sunssf*6 uint16 enum16 uint16 enum16 uint16 enum16 uint16 enum16"
    ),
    715: _types("enum16 uint32*2 uint16 enum16"),
    802: _types(
        "uint16*12 uint32 enum16*2 uint16*3 enum16*3 uint32 bitfield32*4 uint16*10 int16 uint16*2 int16 "
        "enum16 int16 enum16*2 sunssf*12"
    ),
}
"""Model id → types of its points in order, without the header."""


def blank(model: int) -> tuple[int, ...]:
    """Return the registers of a model none of whose points is implemented; empty for a model that is not known here."""
    return tuple(word for kind in LAYOUTS.get(model, ()) for word in NOT_IMPLEMENTED[kind])


def models(image: TableImage) -> Iterator[tuple[int, int, int]]:
    """Yield (model id, address of its first point, length) along the chain of headers; nothing when there is no marker."""
    base = next((b for b in BASES if image.holds(b, 4) and tuple(image.read(b, 2)) == MARKER), None)
    at = None if base is None else base + 2
    while at is not None and image.holds(at, 2):
        model, length = image.read(at, 2)
        if model == END:
            return
        yield model, at + 2, length
        at += 2 + length


def fill_unimplemented(tables: Mapping[Table, TableImage]) -> None:
    """Write the codes for "not implemented" into every model of a SunSpec image; other images stay as they are."""
    image = tables.get(Table.HOLDING)
    for model, address, length in list(models(image)) if image is not None else ():
        words = blank(model)
        if image is not None and len(words) == length:
            image.put(address, words)
