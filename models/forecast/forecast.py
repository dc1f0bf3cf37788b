"""The forecast that a plan is made on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import xarray as xr

from models.errors import ForecastError
from models.findings import error
from models.horizon import Horizon


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected values of every profile series over a horizon.

    ``values`` has dims (series, time), one column per step of ``horizon`` (step means), in the unit that ends each series' name.
    """

    made_at: datetime
    horizon: Horizon
    values: xr.DataArray
    source: str

    def require(self, names: Iterable[str]) -> None:
        """Check that every named series is there and finite.

        Raises
        ------
        ForecastError
            With one finding per missing or broken series.
        """
        known = {str(s) for s in self.values["series"].values}
        wanted = sorted(set(names))
        findings = [
            error(n, f"the forecast made at {self.made_at} lacks this series") for n in wanted if n not in known
        ]
        for name in (n for n in wanted if n in known):
            bad = int((~np.isfinite(self.values.sel(series=name).values)).sum())
            if bad:
                findings.append(error(name, f"{bad} of {len(self.horizon)} forecast steps have no value"))
        if findings:
            raise ForecastError(findings)
