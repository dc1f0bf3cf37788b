"""What a register map must fulfil before anybody reads or serves it; every problem is found at once."""

from collections.abc import Iterator
from itertools import pairwise

from hil.maps.types import Access, DataType, Point, RegisterMap, Table
from hil.maps.units import canonical_unit, to_canonical
from models.findings import Finding, error, warning

RAW_RANGE = {
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.UINT16: (0, 2**16 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.UINT32: (0, 2**32 - 1),
    DataType.INT64: (-(2**63), 2**63 - 1),
    DataType.UINT64: (0, 2**64 - 1),
    DataType.BITS: (0, 2**16 - 1),
}
"""Lowest and highest raw number of the integer types."""


def check_map(found: RegisterMap) -> tuple[Finding, ...]:
    """Return everything that is wrong or doubtful in a map."""
    place = f"maps.{found.name}"
    findings = [*_repeated(found, place), *_overlaps(found, place), *_habits(found, place), *_groups(found, place)]
    findings += _liveness(found, place)
    for index, point in enumerate(found.points):
        at = f"{place}.points[{index}] {point.quantity}"
        findings += [*_layout(point, at), *_meaning(point, at), *_writing(point, found, at), *_pulse(point, found, at)]
    for index, constant in enumerate(found.constants):
        if (constant.registers is None) == (constant.text is None):
            findings.append(error(f"{place}.constants[{index}]", "give either registers or text"))
    return tuple(findings)


def _repeated(found: RegisterMap, place: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for point in found.points:
        if point.quantity in seen:
            yield error(place, f"{point.quantity} is described twice; a quantity has one point", point.quantity)
        seen.add(point.quantity)


def _spans(found: RegisterMap, table: Table) -> list[tuple[int, int, str, int | None]]:
    """Return first address, end, words and bit of everything in a table, in address order."""
    points: list[tuple[int, int, str, int | None]] = [
        (p.address, p.end, p.quantity, p.bit) for p in found.points if p.table is table
    ]
    points += [(c.address, c.end, f"constant at {c.address}", None) for c in found.constants if c.table is table]
    return sorted(points, key=lambda s: (s[0], s[1], s[3] if s[3] is not None else -1))


def _overlaps(found: RegisterMap, place: str) -> Iterator[Finding]:
    for table in Table:
        spans = _spans(found, table)
        for (start, end, name, bit), (other, _, other_name, other_bit) in pairwise(spans):
            shared_flags = bit is not None and other_bit is not None and bit != other_bit and start == other
            if other < end and not shared_flags:
                text = f"{name} takes {table.value} {start}..{end - 1} and {other_name} begins at {other}; they overlap"
                yield error(f"{place}.{table.value}", text, name, other_name)
        for first, last in found.holes.get(table, ()):
            if last < first:
                yield error(f"{place}.holes.{table.value}", f"{first}..{last} ends before it begins")
            inside = [name for start, end, name, _ in spans if start <= last and end > first]
            if inside:
                yield error(
                    f"{place}.holes.{table.value}", f"{', '.join(inside)} lie in the hole {first}..{last}", *inside
                )


def _habits(found: RegisterMap, place: str) -> Iterator[Finding]:
    widest = max((p.registers for p in found.points), default=1)
    if widest > found.max_block and any(p.poll != "never" for p in found.points):
        yield error(f"{place}.max_block", f"{found.max_block} registers are too few for a point of {widest}")
    noisy = sum(p.noisy for p in found.points)
    if found.heartbeat is None and noisy < 4:
        yield warning(place, "no heartbeat and fewer than four noisy points, so frozen values will not be noticed")


def _liveness(found: RegisterMap, place: str) -> Iterator[Finding]:
    beat = found.heartbeat
    commanded = [p for p in found.points if p.access is Access.READWRITE and p.poll != "never"]
    far = [p.quantity for p in commanded if beat is not None and not _beside(p, beat, found.max_block)]
    if far:
        words = f"{', '.join(far)} cannot be read together with the heartbeat, so a gateway's memory may pass for the device there"
        yield warning(place, words, *far)


def _beside(point: Point, beat: Point, most: int) -> bool:
    """Return whether one request of at most ``most`` registers reaches both."""
    return point.table is beat.table and max(point.end, beat.end) - min(point.address, beat.address) <= most


def _groups(found: RegisterMap, place: str) -> Iterator[Finding]:
    for name in found.group_max:
        points = found.group(name)
        if len(points) < 2:
            yield error(f"{place}.group_max.{name}", f"fewer than two points belong to the group {name}")
            continue
        for point in points:
            if point.access is not Access.READWRITE or point.poll == "never":
                words = f"{point.quantity} counts towards a sum, so it has to be readable, writable and polled"
                yield error(f"{place}.group_max.{name}", words, point.quantity)
        units = {canonical_unit(p.quantity) for p in points}
        if len(units) > 1:
            yield error(f"{place}.group_max.{name}", f"{' and '.join(sorted(units))} cannot be added up")


def _pulse(point: Point, found: RegisterMap, at: str) -> Iterator[Finding]:
    if point.counted_by is not None:
        counter = found.find(point.counted_by)
        if not point.pulse:
            yield error(f"{at}.counted_by", "only a pulse is counted")
        if counter is None or not counter.access.readable:
            yield error(f"{at}.counted_by", f"{point.counted_by} is not a readable point of this map", point.counted_by)
    if point.pulse and not point.access.writable:
        yield error(f"{at}.pulse", "a pulse has to be writable")
    if point.pulse and (point.due_refresh_s is not None or point.also or point.group is not None):
        yield error(f"{at}.pulse", "a pulse is not refreshed, needs no other point and belongs to no group")


def _layout(point: Point, at: str) -> Iterator[Finding]:
    if point.end > 65536:
        yield error(at, f"registers {point.address}..{point.end - 1} lie beyond 65535")
    if point.table.is_bits and point.type is not DataType.BITS:
        yield error(f"{at}.type", f"a {point.table.value} is one bit, so its type is bits, not {point.type.value}")
    if (point.type is DataType.STRING) != (point.length is not None):
        yield error(f"{at}.length", "a string needs a length in registers, and only a string has one")
    if point.bit is not None and (point.type is not DataType.BITS or point.table.is_bits):
        yield error(f"{at}.bit", "only a register of type bits has numbered bits")
    if point.access.writable and point.table in (Table.INPUT, Table.DISCRETE):
        yield error(f"{at}.access", f"{point.table.value} registers cannot be written over Modbus")
    if point.access.writable and point.bit is not None:
        yield error(f"{at}.access", "one bit of a register cannot be written without touching its neighbours")


def _meaning(point: Point, at: str) -> Iterator[Finding]:
    try:
        to_canonical(point.unit, "share" if point.relative else canonical_unit(point.quantity))
    except ValueError as problem:
        yield error(f"{at}.unit", str(problem))
    if point.scale == 0:
        yield error(f"{at}.scale", "a scale of 0 makes every value the same")
    if point.range is not None and point.range[0] > point.range[1]:
        yield error(
            f"{at}.range", f"{point.range[0]:g} to {point.range[1]:g} holds no number; write the lower end first"
        )
    if point.nan is not None:
        low, high = RAW_RANGE.get(point.type, (0, -1))
        if not low <= point.nan <= high:
            yield error(f"{at}.nan", f"{point.nan} is no value of {point.type.value}; expected {low}..{high}")
    if point.heartbeat and not point.access.readable:
        yield error(f"{at}.heartbeat", "a heartbeat has to be readable")


def _writing(point: Point, found: RegisterMap, at: str) -> Iterator[Finding]:
    for other in point.also:
        target = found.find(other)
        if target is None or not target.access.writable:
            yield error(f"{at}.also", f"{other} is not a writable point of this map", other)
    if point.revert_to is not None and point.revert_s is None:
        yield error(f"{at}.revert_to", "without revert_s the device never reverts")
    for other in point.needs:
        target = found.find(other)
        if target is None or not target.access.readable or target.poll == "never":
            yield error(f"{at}.needs", f"{other} is not a point of this map that is polled", other)
    limits = (point.deadband, point.ramp_per_s, point.write_interval_s, point.refresh_s, point.revert_s)
    if any((*limits, point.write_budget_per_day, point.needs)) and not point.access.writable:
        yield error(
            at, "deadband, ramp, interval, needs, refresh, revert and budget belong to points that can be written"
        )
    refresh = point.due_refresh_s
    if point.write_interval_s is not None and refresh is not None and refresh < point.write_interval_s:
        text = (
            f"it has to be refreshed every {refresh:g} s, and {point.write_interval_s:g} s must lie between two writes"
        )
        yield error(f"{at}.write_interval_s", text)
    if point.write_budget_per_day is not None and refresh is not None and 86400 / refresh > point.write_budget_per_day:
        text = f"refreshing every {refresh:g} s takes {86400 / refresh:.0f} writes a day, {point.write_budget_per_day} are allowed"
        yield error(f"{at}.write_budget_per_day", text)
