"""The site: its file format, its checks, its profiles."""

from models.site.site import (
    AnyContract,
    Customer,
    Device,
    ElectricityContract,
    GasContract,
    Location,
    Networks,
    Node,
    ProfileFile,
    Site,
)

__all__ = [
    "AnyContract",
    "Customer",
    "Device",
    "ElectricityContract",
    "GasContract",
    "Location",
    "Networks",
    "Node",
    "ProfileFile",
    "Site",
]
