"""Savings by others: OpenDSM's sample meters, whose saving is stated, and what its own daily model says of them."""

import logging
import warnings
from typing import Any

from serve import serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
YEAR = "365D"


def _sample(name: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return a sample's readings and temperatures in degC, and what is stated of it."""
    from opendsm.eemeter.samples import load_sample

    fahrenheit = name.startswith("il-")
    meter, temperature, stated = load_sample(name, tempF=fahrenheit)
    degc = (temperature - 32.0) / 1.8 if fahrenheit else temperature
    return meter["value"], degc, stated


def samples() -> list[str]:
    """Return the samples with hourly readings."""
    from opendsm.eemeter.samples import samples as named

    return [n for n in named() if n.endswith("-hourly") or "-hourly-sample" in n]


def meter(name: str) -> dict[str, Any]:
    """Return a sample by whole hours: first instant, readings (null where none), temperatures, the days of the change, the stated saving."""
    import pandas as pd

    readings, degc, stated = _sample(name)
    both = pd.concat([readings.rename("kwh"), degc.rename("degc")], axis=1).tz_convert("UTC").sort_index()
    both = both[~both.index.duplicated()].asfreq("h")
    before, after = stated["annual_baseline_total_load"], stated["annual_reporting_total_load"]
    return {
        "start": both.index[0].isoformat(),
        "kwh": [None if v != v else float(v) for v in both["kwh"]],
        "degc": both["degc"].interpolate().bfill().ffill().tolist(),
        "change": [stated["blackout_start_date"], stated["blackout_end_date"]],
        "saved_share": 1.0 - after / before,
    }


def daily_saving(name: str) -> dict[str, float]:
    """Return the share that OpenDSM's daily model says was saved in the year after the change."""
    import pandas as pd
    from opendsm.eemeter import DailyBaselineData, DailyModel, DailyReportingData

    readings, degc, stated = _sample(name)
    fahrenheit = degc * 1.8 + 32.0
    electric = "electricity" in name
    begins, ends = (pd.Timestamp(stated[k], tz=readings.index.tz) for k in ("blackout_start_date", "blackout_end_date"))
    year = pd.Timedelta(YEAR)
    old, new = readings[(readings.index >= begins - year) & (readings.index < begins)], readings[ends : ends + year]
    model = DailyModel().fit(
        DailyBaselineData.from_series(old, fahrenheit, is_electricity_data=electric), ignore_disqualification=True
    )
    table = model.predict(
        DailyReportingData.from_series(new, fahrenheit, is_electricity_data=electric), ignore_disqualification=True
    ).dropna(subset=["observed", "predicted"])
    expected, drawn = float(table["predicted"].sum()), float(table["observed"].sum())
    return {"saved_share": 1.0 - drawn / expected}


serve({"samples": samples, "meter": meter, "daily_saving": daily_saving})
