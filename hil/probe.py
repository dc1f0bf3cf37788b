"""Looking at one device before it is put into a site: which SunSpec models it has, and what a map reads from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

from hil.bridge.link import Link
from hil.clocks import RealClock
from hil.codec import decode_one
from hil.maps.types import Point, RegisterMap, Table
from hil.maps.units import canonical_unit
from hil.planner import is_polled
from models.errors import AnswerError, RefusedError

SUNSPEC = (0x5375, 0x6E53)
BASES = (40000, 50000, 0)
END = 0xFFFF
MODELS_AT_MOST = 64


@dataclass(frozen=True, slots=True)
class Tried:
    """What reading one point of a map gave; ``words`` says what is wrong, empty when nothing is."""

    quantity: str
    table: Table
    address: int
    value: float
    unit: str
    words: str = ""
    registers: tuple[int, ...] = ()
    """As the device gave them; empty when it refused."""


@dataclass(frozen=True, slots=True)
class Model:
    """One SunSpec model in a device: its number, the address of its header, and the registers behind the header."""

    number: int
    address: int
    length: int


async def try_map(
    found: RegisterMap,
    host: str,
    port: int = 502,
    *,
    unit_id: int = 1,
    framer: str = "socket",
    timeout_s: float = 2.0,
    rating_kw: float = 1.0,
) -> tuple[Tried, ...]:
    """Read every point of a map once, each alone, so that one bad register does not hide the others.

    Points that are a share of the rated power are turned into kW of ``rating_kw``.

    Raises
    ------
    UnreachableError
        If nobody answers there.
    """
    link = Link(host, port, framer, RealClock(), timeout_s=timeout_s, pause_after_connect_s=found.pause_after_connect_s)
    try:
        return tuple([await _tried(link, unit_id, p) for p in found.for_rating(rating_kw).points if is_polled(p)])
    finally:
        link.close()


async def _tried(link: Link, unit_id: int, point: Point) -> Tried:
    value, words, registers = nan, "", tuple[int, ...]()
    try:
        registers = tuple(await link.read(unit_id, point.table, point.address, point.registers))
        value = decode_one(point, registers)
    except RefusedError as problem:
        words = f"refused with exception {problem.code:#04x}"
    except AnswerError as problem:
        words = str(problem)
    if not words and isnan(value):
        words = "the device has no value here"
    if point.range is not None and not isnan(value) and not point.range[0] <= value <= point.range[1]:
        words = f"outside {point.range[0]:g} to {point.range[1]:g}; wrong order, scale or address?"
    return Tried(point.quantity, point.table, point.address, value, canonical_unit(point.quantity), words, registers)


async def scan_sunspec(host: str, port: int = 502, *, unit_id: int = 1, timeout_s: float = 2.0) -> tuple[Model, ...]:
    """Return the SunSpec models of a device in order, empty when it shows no SunSpec image at 40000, 50000 or 0.

    Raises
    ------
    UnreachableError
        If nobody answers there.
    """
    link = Link(host, port, "socket", RealClock(), timeout_s=timeout_s)
    try:
        for base in BASES:
            if await _pair(link, unit_id, base) == SUNSPEC:
                return await _models(link, unit_id, base + 2)
    finally:
        link.close()
    return ()


async def _models(link: Link, unit_id: int, address: int) -> tuple[Model, ...]:
    models: list[Model] = []
    while len(models) < MODELS_AT_MOST:
        head = await _pair(link, unit_id, address)
        if head is None or head[0] == END:
            break
        models.append(Model(head[0], address, head[1]))
        address += 2 + head[1]
    return tuple(models)


async def _pair(link: Link, unit_id: int, address: int) -> Sequence[int] | None:
    """Return two registers, None when the device refuses them."""
    try:
        return tuple(await link.read(unit_id, Table.HOLDING, address, 2))
    except RefusedError:
        return None
