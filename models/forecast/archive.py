"""Every forecast kept with its origin, so that any past plan can be judged by what was known then."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from models.forecast.forecast import Forecast
from models.forecast.own import Bands
from models.horizon import Horizon, require_utc


class ForecastArchive:
    """Forecasts as lines of JSON in one file per day of origin; lines are only ever added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, bands: Bands) -> None:
        """Add one forecast with its quantiles."""
        made_at = bands.forecast.made_at
        with self._file(made_at).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(_plain(bands)) + "\n")

    def made_between(self, start: datetime, end: datetime) -> Iterator[Bands]:
        """Yield the forecasts made at ``start <= t < end``, in the order in which they were made."""
        start, end = require_utc(start), require_utc(end)
        for path in sorted(self.folder.glob("*.jsonl")):
            if not f"{start:%Y-%m-%d}" <= path.stem <= f"{end:%Y-%m-%d}":
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                found = _bands(json.loads(line))
                if start <= found.forecast.made_at < end:
                    yield found

    def known_at(self, at: datetime) -> Bands | None:
        """Return the last forecast made at or before an instant of its day, None where there is none: what a plan of then stood on."""
        day = require_utc(at).replace(hour=0, minute=0, second=0, microsecond=0)
        found = None
        for bands in self.made_between(day, require_utc(at).max.replace(tzinfo=day.tzinfo)):
            if bands.forecast.made_at > at:
                break
            found = bands
        return found

    def _file(self, made_at: datetime) -> Path:
        return self.folder / f"{require_utc(made_at):%Y-%m-%d}.jsonl"


def _plain(bands: Bands) -> dict[str, Any]:
    forecast = bands.forecast
    return {
        "made_at": forecast.made_at.isoformat(),
        "source": forecast.source,
        "edges": [e.isoformat() for e in forecast.horizon.edges],
        "series": [str(s) for s in forecast.values["series"].to_numpy()],
        "levels": np.asarray(bands.values["quantile"], dtype=float).tolist(),
        "point": np.round(forecast.values.to_numpy(), 4).tolist(),
        "quantiles": np.round(bands.values.to_numpy(), 4).tolist(),
    }


def _bands(plain: dict[str, Any]) -> Bands:
    horizon = Horizon(tuple(datetime.fromisoformat(e) for e in plain["edges"]))
    coords = {"series": plain["series"], "time": horizon.times}
    point = xr.DataArray(np.array(plain["point"]), coords, ("series", "time"), "forecast")
    quantiles = xr.DataArray(
        np.array(plain["quantiles"]),
        {**coords, "quantile": plain["levels"]},
        ("series", "time", "quantile"),
        "forecast",
    )
    made_at = datetime.fromisoformat(plain["made_at"])
    return Bands(Forecast(made_at, horizon, point, plain["source"]), quantiles)
