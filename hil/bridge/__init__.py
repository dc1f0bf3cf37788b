"""The bridge between the loop and real or emulated devices over Modbus."""

from hil.bridge.bridge import Bridge, BridgeStats
from hil.bridge.events import (
    BridgeEvent,
    ClockSet,
    CommandState,
    ConfirmationWanted,
    DeviceBack,
    DeviceFrozen,
    DeviceLost,
    FrameShadowed,
    GroupTorn,
    PointDisabled,
    WrongDevice,
)
from hil.bridge.leases import Lease
from hil.bridge.writer import Mode

__all__ = [
    "Bridge",
    "BridgeEvent",
    "BridgeStats",
    "ClockSet",
    "CommandState",
    "ConfirmationWanted",
    "DeviceBack",
    "DeviceFrozen",
    "DeviceLost",
    "FrameShadowed",
    "GroupTorn",
    "Lease",
    "Mode",
    "PointDisabled",
    "WrongDevice",
]
