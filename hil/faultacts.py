"""What a fault plan does besides bending frames: another master writes, a process is killed, a clock is set."""

import asyncio
import os
import signal
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from pydantic import ConfigDict

from hil.checksum import crc16
from models.findings import Finding, error

ANSWER_S = 1.0
"""How long another master waits for the device's answer."""


class ActKind(StrEnum):
    """What happens."""

    OTHER_MASTER = "other_master"
    """Somebody else writes ``value`` to ``address`` of ``unit_id``, past the proxy."""
    KILL = "kill"
    """The process whose number stands in ``pid_file`` is killed at once (SIGKILL)."""
    SET_CLOCK = "set_clock"
    """``clock_file`` gets ``by_s`` as an offset, as libfaketime reads it from FAKETIME_TIMESTAMP_FILE: a client that runs under it sees
    its clock set."""


NEEDED = {
    ActKind.OTHER_MASTER: ("address", "value"),
    ActKind.KILL: ("pid_file",),
    ActKind.SET_CLOCK: ("clock_file", "by_s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAct:
    """One thing that happens ``at_s`` seconds after the plan has begun."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: ActKind
    at_s: Annotated[float, Ge(0)]
    unit_id: Annotated[int, Ge(0), Le(255)] = 1
    address: Annotated[int, Ge(0), Le(65535)] | None = None
    value: Annotated[int, Ge(0), Le(65535)] | None = None
    pid_file: str | None = None
    clock_file: str | None = None
    by_s: float | None = None


def check_acts(acts: Sequence[PlannedAct], name: str, seconds: float) -> Iterator[Finding]:
    """Yield what keeps acts from being carried out."""
    for index, act in enumerate(acts):
        place = f"{name}.acts[{index}] {act.kind.value}"
        for field in NEEDED[act.kind]:
            if getattr(act, field) is None:
                yield error(f"{place}.{field}", f"{act.kind.value} needs it")
        if act.at_s >= seconds:
            yield error(f"{place}.at_s", f"it comes at {act.at_s:g} s, the plan ends at {seconds:g} s")


async def carry_out(acts: Sequence[PlannedAct], device: tuple[str, int], framer: str) -> AsyncIterator[str]:
    """Do everything in its time and yield what was done, in words; an act that fails says so and stops nothing."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for act in sorted(acts, key=lambda a: a.at_s):
        await asyncio.sleep(begun + act.at_s - loop.time())
        try:
            yield f"{act.at_s:g} s: {await _do(act, device, framer)}"
        except (OSError, ValueError, EOFError, TimeoutError) as problem:
            yield f"{act.at_s:g} s: {act.kind.value} failed: {problem}"


async def _do(act: PlannedAct, device: tuple[str, int], framer: str) -> str:
    match act.kind:
        case ActKind.OTHER_MASTER:
            await write_register(device, framer, act.unit_id, act.address or 0, act.value or 0)
            return f"another master wrote {act.value} to register {act.address}"
        case ActKind.KILL:
            number = int(Path(act.pid_file or "").read_text(encoding="ascii"))
            os.kill(number, signal.SIGKILL)
            return f"process {number} was killed"
        case ActKind.SET_CLOCK:
            Path(act.clock_file or "").write_text(f"{act.by_s:+g}\n", encoding="ascii")
            return f"the clock was set by {act.by_s:+g} s"


async def write_register(device: tuple[str, int], framer: str, unit: int, address: int, value: int) -> None:
    """Write one register by function 6 over a connection of its own, and wait for the answer."""
    body = struct.pack(">BBHH", unit, 6, address, value)
    frame = body + crc16(body) if framer == "rtu" else struct.pack(">HHH", 1, 0, len(body)) + body
    reader, writer = await asyncio.open_connection(*device)
    try:
        writer.write(frame)
        await asyncio.wait_for(reader.readexactly(len(frame)), ANSWER_S)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
