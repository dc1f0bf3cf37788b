"""Register maps: one file per device type, read, checked and ready for codec, planner and emulators."""

from hil.maps.load import load_map, shipped_maps
from hil.maps.types import Access, Constant, DataType, Point, Positive, RegisterMap, Table, WordOrder

__all__ = [
    "Access",
    "Constant",
    "DataType",
    "Point",
    "Positive",
    "RegisterMap",
    "Table",
    "WordOrder",
    "load_map",
    "shipped_maps",
]
