"""Domain objects as bytes and back, bit for bit: what the log keeps.

Everything is compressed JSON; Python writes the shortest text that gives the same float again, and arrays go in as their own bytes.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import TypeAdapter

from models.dispatch import Plan
from models.forecast import Forecast
from models.horizon import Horizon
from models.ports import Quality, Reading, Receipt
from models.state import ImportSoFar, MonthSoFar, Snapshot, TagState, UnitState
from twin.alarms import AlarmChange
from twin.state import Layout

FAST = 1
"""Compression level: a log is written once a turn and read now and then."""
QUALITIES = tuple(Quality)
MICROSECOND = timedelta(microseconds=1)
Column = tuple[str, str]
"""Device and quantity of a reading."""
Thing = TypeVar("Thing")


def pack(document: object) -> bytes:
    """Return plain values, with numpy arrays anywhere in them, as bytes."""
    return zlib.compress(json.dumps(document, default=_plain, separators=(",", ":")).encode(), FAST)


def unpack(body: bytes) -> Any:
    """Return what :func:`pack` was given; dates stay text."""
    return json.loads(zlib.decompress(body), object_hook=_array)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "bytes": raw}
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no plain form")


def _array(value: dict[str, Any]) -> object:
    if value.keys() != {"dtype", "shape", "bytes"}:
        return value
    return np.frombuffer(base64.b64decode(value["bytes"]), dtype=value["dtype"]).reshape(value["shape"])


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def plain(kind: Any, thing: object) -> Any:
    """Return a dataclass without arrays as plain values."""
    return _adapter(kind).dump_python(thing, mode="json")


def made(kind: type[Thing], values: Any) -> Thing:
    """Return the dataclass that :func:`plain` made plain."""
    door: Any = kind
    found: Thing = _adapter(door).validate_python(values)
    return found


def columns_of(readings: Sequence[Reading]) -> tuple[Column, ...]:
    """Return which point stands where."""
    return tuple((r.device, r.quantity) for r in readings)


def pack_readings(readings: Sequence[Reading], at: datetime) -> bytes:
    """Return readings as four columns; whose they are stands in a record of its own."""
    return pack(
        {
            "value": np.array([r.value for r in readings], dtype="<f8"),
            "quality": np.array([QUALITIES.index(r.quality) for r in readings], dtype="u1"),
            "measured": np.array([(r.measured_at - at) // MICROSECOND for r in readings], dtype="<i8"),
            "received": np.array([(r.received_at - at) // MICROSECOND for r in readings], dtype="<i8"),
        }
    )


def unpack_readings(body: bytes, at: datetime, columns: Sequence[Column]) -> tuple[Reading, ...]:
    """Return the readings of a turn; ValueError when they are not as many as the columns."""
    found = unpack(body)
    rows = zip(
        columns,
        found["value"].tolist(),
        found["measured"].tolist(),
        found["received"].tolist(),
        found["quality"].tolist(),
        strict=True,
    )
    return tuple(
        Reading(d, q, v, at + m * MICROSECOND, at + r * MICROSECOND, QUALITIES[k]) for (d, q), v, m, r, k in rows
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What the log keeps of a snapshot: the arrays, and the fingerprint of everything in it."""

    at: datetime
    digest: str
    power_kw: npt.NDArray[np.float64]
    stored_kwh: npt.NDArray[np.float64]
    peak_import_kw: float | None


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot's arrays and its fingerprint; the rest is rebuilt from the readings."""
    return pack(
        {
            "digest": digest(snapshot),
            "power_kw": snapshot.power_kw.transpose("asset", "carrier").to_numpy(),
            "stored_kwh": snapshot.stored_kwh.to_numpy(),
            "peak_import_kw": snapshot.peak_import_kw,
        }
    )


def unpack_snapshot(body: bytes, at: datetime) -> Kept:
    """Return what was kept of a snapshot."""
    return Kept(at=at, **unpack(body))


def shown_again(kept: Kept, layout: Layout) -> Snapshot:
    """Return powers and contents of a kept snapshot, without units and tags, as a history needs them."""
    return Snapshot(
        kept.at,
        layout.empty_power.copy(deep=False, data=kept.power_kw),
        layout.empty_stored.copy(deep=False, data=kept.stored_kwh),
        peak_import_kw=kept.peak_import_kw,
    )


def digest(snapshot: Snapshot) -> str:
    """Return a fingerprint of everything in a snapshot; equal only for snapshots that are equal bit for bit."""
    found = sha256(snapshot.at.isoformat().encode())
    for array in (snapshot.power_kw.transpose("asset", "carrier"), snapshot.stored_kwh):
        for name in array.dims:
            found.update("\0".join(str(x) for x in array[name].to_numpy()).encode())
        found.update(np.ascontiguousarray(array.to_numpy(), dtype="<f8").tobytes())
    rest = (
        sorted((k, plain(UnitState, u)) for k, u in snapshot.units.items()),
        snapshot.peak_import_kw,
        None if snapshot.import_so_far is None else plain(ImportSoFar, snapshot.import_so_far),
        sorted((*k, plain(TagState, t)) for k, t in snapshot.tags.items()),
    )
    found.update(json.dumps(rest).encode())
    if snapshot.month is not None:
        found.update(json.dumps(plain(MonthSoFar, snapshot.month)).encode())
    return found.hexdigest()


def pack_forecast(forecast: Forecast) -> bytes:
    """Return a forecast with its origin."""
    values = forecast.values.transpose("series", "time")
    return pack(
        {
            "made_at": forecast.made_at,
            "source": forecast.source,
            "edges": list(forecast.horizon.edges),
            "series": [str(s) for s in values["series"].to_numpy()],
            "values": values.to_numpy(),
        }
    )


def unpack_forecast(body: bytes) -> Forecast:
    """Return a forecast as it was packed."""
    found = unpack(body)
    horizon = Horizon(tuple(datetime.fromisoformat(e) for e in found["edges"]))
    coords = {"series": found["series"], "time": horizon.times}
    values = xr.DataArray(found["values"].copy(), coords, ("series", "time"), "forecast")
    return Forecast(datetime.fromisoformat(found["made_at"]), horizon, values, found["source"])


def pack_plan(plan: Plan) -> bytes:
    """Return a plan with all its arrays."""
    values = {f.name: getattr(plan, f.name) for f in fields(plan) if getattr(plan, f.name) is not None}
    arrays = {name: _labelled(v) for name, v in values.items() if isinstance(v, xr.DataArray)}
    rest = {k: plain(_type_of(k), v) for k, v in values.items() if k not in arrays}
    return pack({"arrays": arrays, "rest": rest})


def unpack_plan(body: bytes) -> Plan:
    """Return a plan as it was packed."""
    found = unpack(body)
    values: dict[str, Any] = {k: _adapter(_type_of(k)).validate_python(v) for k, v in found["rest"].items()}
    times = values["horizon"].times
    values |= {name: _relabelled(array, times) for name, array in found["arrays"].items()}
    return Plan(**values)


@lru_cache(maxsize=32)
def _type_of(field_name: str) -> Any:
    return next(f.type for f in fields(Plan) if f.name == field_name)


def _labelled(array: xr.DataArray) -> dict[str, object]:
    labels = {str(d): [str(x) for x in array[d].to_numpy()] for d in array.dims if d != "time"}
    return {"dims": list(array.dims), "labels": labels, "values": array.to_numpy(), "name": array.name}


def _relabelled(kept: Mapping[str, Any], times: object) -> xr.DataArray:
    coords = {**kept["labels"], **({"time": times} if "time" in kept["dims"] else {})}
    return xr.DataArray(kept["values"].copy(), coords, kept["dims"], kept["name"])


def pack_receipts(receipts: Sequence[Receipt]) -> bytes:
    """Return what became of commands."""
    return pack([plain(Receipt, r) for r in receipts])


def unpack_receipts(body: bytes) -> tuple[Receipt, ...]:
    """Return receipts as they were packed."""
    return tuple(made(Receipt, r) for r in unpack(body))


def pack_alarm(change: AlarmChange) -> bytes:
    """Return one step in an alarm's life."""
    return pack(plain(AlarmChange, change))


def unpack_alarm(body: bytes) -> AlarmChange:
    """Return a step in an alarm's life as it was packed."""
    return made(AlarmChange, unpack(body))
