"""What is checked last, before a command may touch a device; every refusal has a code and words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

from hil.bridge.polled import PolledDevice
from hil.codec import encode
from hil.maps.types import Point
from models.components import AnyAsset
from models.limits import setpoint_range_kw, smallest_kw
from models.ports import Command, Quality

TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is not carried out."""

    code: str
    words: str


def refuse_command(command: Command, device: PolledDevice | None, asset: AnyAsset | None) -> Refusal | None:
    """Return why a command can never be carried out, None when it is sound in itself."""
    if device is None or asset is None:
        return Refusal("refused_point", f"there is no device {command.device}")
    point = device.map.find(command.quantity)
    if point is None or not point.access.writable:
        return Refusal("refused_point", f"{command.device} has no {command.quantity} that can be written")
    return _beyond_limits(command, point, asset) or _beyond_register(command, point)


def _beyond_limits(command: Command, point: Point, asset: AnyAsset) -> Refusal | None:
    value = command.value
    if not isfinite(value):
        return Refusal("refused_limit", f"{command.quantity} {value} is not a number that a device can hold")
    if point.range is not None and not point.range[0] <= value <= point.range[1]:
        return Refusal(
            "refused_limit", f"{value:g} is outside {point.range[0]:g} to {point.range[1]:g} of {command.quantity}"
        )
    limits = setpoint_range_kw(asset)
    if command.quantity != "setpoint_kw" or limits is None:
        return None
    if not limits[0] - TOLERANCE_KW <= value <= limits[1] + TOLERANCE_KW:
        text = f"{asset.id} can be set from {limits[0]:g} to {limits[1]:g} kW, not to {value:g} kW"
        return Refusal("refused_limit", text)
    smallest = smallest_kw(asset)
    if 0 < abs(value) < smallest - TOLERANCE_KW:
        text = f"{asset.id} runs from {smallest:g} kW up; {value:g} kW would neither run nor stop it. Use 0 to stop"
        return Refusal("refused_limit", text)
    return None


def _beyond_register(command: Command, point: Point) -> Refusal | None:
    try:
        encode(point, command.value)
    except ValueError as problem:
        return Refusal("refused_limit", str(problem))
    return None


def refuse_late(command: Command, now: datetime, frame_life_s: float) -> Refusal | None:
    """Return why a frame may no longer leave: it could land after the command's deadline."""
    if now + timedelta(seconds=frame_life_s) <= command.deadline:
        return None
    late = (now - command.deadline).total_seconds()
    words = f"the deadline passed {late:.1f} s ago" if late > 0 else "a frame sent now could land after the deadline"
    return Refusal("refused_expired", f"{words}; nothing was sent")


def refuse_interlock(device: PolledDevice, point: Point, value: float) -> Refusal | None:
    """Return which other point forbids a value; what stops a unit is never forbidden."""
    if value == 0.0:
        return None
    for other, wanted in point.needs.items():
        seen = device.value(other)
        if seen != wanted:
            shown = "cannot be read" if seen is None else f"reads {seen:g}"
            words = (
                f"{other} of {device.id} {shown}; {point.quantity} may be set while it is {wanted:g}. Nothing was sent"
            )
            return Refusal("refused_interlock", words)
    return None


def refuse_step(
    device: PolledDevice, point: Point, value: float, now: float, in_flight: Iterable[float] = ()
) -> Refusal | None:
    """Return why a step is steeper than the device's ramp, seen from what it shows and from what may still land.

    Towards 0 every step passes. A value that has stood for ``s`` seconds may be left by ``ramp_per_s * s``.
    """
    shown = device.value(point.quantity)
    if point.ramp_per_s is None or shown is None:
        return None
    stood_s = max(now - device.stood_since.get(point.quantity, now), 0.0)
    reach = point.ramp_per_s * stood_s
    for before in (shown, *in_flight):
        towards_zero = value * before >= 0.0 and abs(value) <= abs(before)
        if not towards_zero and abs(value - before) > reach + TOLERANCE_KW:
            words = (
                f"{point.quantity} of {device.id} has been {before:g} for {stood_s:.1f} s and may change by"
                f" {point.ramp_per_s:g} a second, so by {reach:g} now; {value:g} is too far. Wait, or go in smaller steps"
            )
            return Refusal("refused_ramp", words)
    return None


def refuse_sum(
    device: PolledDevice, point: Point, value: float, highest: Callable[[Point], float | None]
) -> Refusal | None:
    """Return why a rising value would carry its group beyond what its points may add up to.

    ``highest`` gives the most that a point may show now or when what is in flight has landed.
    """
    limit = device.map.group_max.get(point.group or "")
    shown = device.value(point.quantity)
    if limit is None or (shown is not None and value <= shown):
        return None
    total = value
    for other in device.map.group(point.group or ""):
        most = 0.0 if other.quantity == point.quantity else highest(other)
        if most is None:
            return Refusal("refused_stale", f"{other.quantity} of {device.id} cannot be read; nothing was sent")
        total += most
    if total <= limit + TOLERANCE_KW:
        return None
    words = f"{point.quantity} {value:g} would bring {point.group} of {device.id} to {total:g}, {limit:g} is the most"
    return Refusal("refused_limit", f"{words}. Lower the others first; nothing was sent")


def refuse_blind(device: PolledDevice, now: float) -> Refusal | None:
    """Return why the device's state is not known well enough to command it."""
    quality = device.quality(now)
    if quality is Quality.GOOD:
        return None
    if quality is Quality.STALE:
        return Refusal("refused_stale", f"{device.id} answers with values that have stopped moving; nothing was sent")
    return Refusal("unreachable", f"{device.id}: {device.why or 'its values may be old'}; nothing was sent")
