"""The site: its file format, its checks, its profiles."""

from models.site.file import load_site, parse_site, read_site, site_schema
from models.site.profiles import load_profiles
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
    ReserveContract,
    Site,
    Tls,
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
    "ReserveContract",
    "Site",
    "Tls",
    "load_profiles",
    "load_site",
    "parse_site",
    "read_site",
    "site_schema",
]
