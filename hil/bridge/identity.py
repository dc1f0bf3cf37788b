"""Is the device the one that its map describes? Its fixed registers tell."""

from hil.bridge.link import Link
from hil.bridge.polled import PolledDevice
from hil.maps.types import Constant
from models.errors import RefusedError


async def misread_constant(link: Link, device: PolledDevice) -> str | None:
    """Return what differs from the map's verified constants, in words; None when all of them are there."""
    for constant in device.map.constants:
        if not constant.verify:
            continue
        words = constant.words()
        try:
            seen = await link.read(device.device.unit_id, constant.table, constant.address, len(words))
        except RefusedError as problem:
            return _words(device, constant, f"is refused with exception {problem.code:#04x}")
        if tuple(seen) != words:
            return _words(device, constant, f"reads {' '.join(map(str, seen))} instead of {' '.join(map(str, words))}")
    return None


def _words(device: PolledDevice, constant: Constant, what: str) -> str:
    name = constant.note or "constant"
    return (
        f"{name} at {constant.table.value} {constant.address} {what}; {device.device.map} does not describe this device"
    )
