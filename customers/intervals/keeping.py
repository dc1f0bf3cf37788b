"""Base data on disk: every version of a table in one file, written whole or not at all."""

import json
import os
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from customers.intervals.bringing import edit_of, plain_edit
from customers.intervals.series import MeterTable
from customers.intervals.store import Changes, IntervalStore
from models.carriers import Carrier
from models.errors import DataError, SetupError
from models.findings import error
from models.tariffs.calendar import Intervals

FORMAT = "jouletwin-meters/1"
ENDING = ".npz"


def write_store(store: IntervalStore, path: Path) -> None:
    """Write all versions to a file; an interrupted write leaves the old file.

    Raises
    ------
    SetupError
        If it cannot be written.
    """
    raw = store.raw
    head = {
        "format": FORMAT,
        "customers": raw.customers,
        "start": raw.intervals.start.isoformat(),
        "minutes": raw.intervals.minutes,
        "zone": raw.zone,
        "carrier": raw.carrier.value,
        "country": raw.country,
        "edits": [plain_edit(e) for e in store.edits],
    }
    arrays = {"energy_kwh": raw.energy_kwh, "quality": raw.quality}
    arrays |= {} if store.flags is None else {"flags": store.flags}
    arrays |= {} if store.late_half_hours is None else {"late": store.late_half_hours}
    if (made := store.estimates) is not None:
        arrays |= {"row": made.row, "place": made.place, "made_kwh": made.energy_kwh, "made": made.quality}
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)  # type: ignore[arg-type] # arrays by name
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise SetupError(f"{path} cannot be written: {fault.strerror or fault}") from None


def read_store(path: Path) -> IntervalStore:
    """Return all versions from a file.

    Raises
    ------
    DataError
        If it is no file of base data.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            head, arrays = json.loads(str(kept["head"])), {n: kept[n] for n in kept.files if n != "head"}
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']!r}")
        grid = Intervals(datetime.fromisoformat(head["start"]), arrays["energy_kwh"].shape[1], int(head["minutes"]))
        names, carrier = tuple(head["customers"]), Carrier(head["carrier"])
        raw = MeterTable(
            names, grid, arrays["energy_kwh"], arrays["quality"], head["zone"], carrier, country=head["country"]
        )
        made = None if "row" not in arrays else Changes(*(arrays[n] for n in ("row", "place", "made_kwh", "made")))
        edits = tuple(edit_of(plain) for plain in head["edits"])
        return IntervalStore(raw, arrays.get("flags"), arrays.get("late"), made, edits)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as fault:
        raise DataError([error(path.name, f"is no file of base data: {str(fault)[:120]}")]) from None
