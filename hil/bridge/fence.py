"""One commander per device on a machine: a second bridge that would write to it is kept out, whatever journal it brings."""

import errno
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b

from models.errors import SetupError
from models.site import Device

HERE = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}
"""Names under which this machine's own devices go as well."""


class Fence:
    """The sole right, on this machine, to write to some devices; it ends with the process, however that ends.

    A right is a name in the kernel's list of local sockets, one per host, port and unit: no file that somebody could clean away, nothing
    left behind by SIGKILL, and seen by every user of the machine (by every process of the same network namespace, to be exact: another
    container's 127.0.0.1 is another device). Linux only; elsewhere there is just the lock of the journal.

    Raises
    ------
    SetupError
        If another bridge writes to any of them, naming all of those, or the system has no descriptor left.
    """

    def __init__(self, devices: Iterable[Device]) -> None:
        self._held: list[socket.socket] = []
        known = [d for d in devices if d.port and sys.platform == "linux"]
        taken = [d for d in known if not self._take(d)]
        if taken:
            self.release()
            names = ", ".join(f"{d.id} ({d.host}:{d.port}, unit {d.unit_id})" for d in taken)
            raise SetupError(
                f"another bridge on this machine writes to {names}; stop it first, or start this one in the mode shadow or off"
            )

    def release(self) -> None:
        """Let another bridge write."""
        for name in self._held:
            name.close()
        self._held.clear()

    def _take(self, device: Device) -> bool:
        """Return whether the device is ours now."""
        held = None
        try:
            held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            held.bind(_name(device))
        except OSError as problem:
            if held is not None:
                held.close()
            if problem.errno == errno.EADDRINUSE:
                return False
            self.release()
            raise SetupError(f"the right to write to {device.id} cannot be held: {problem.strerror}") from None
        self._held.append(held)
        return True


def _name(device: Device) -> bytes:
    """Return what stands for a device in the kernel's list: the same for every spelling of its host that needs no name server."""
    host = device.host.casefold().rstrip(".")
    with suppress(OSError):
        host = socket.inet_ntoa(socket.inet_aton(host))
    place = f"{HERE.get(host, host)}:{device.port}/{device.unit_id}"
    return b"\0jouletwin/" + blake2b(place.encode(), digest_size=16).hexdigest().encode()
