"""Savings by others: OpenDSM's sample meters, whose saving is stated, and what its own daily model says of them."""

import logging
import warnings
from typing import Any

from serve import serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
YEAR = "365D"
CHANGE = ("blackout_start_date", "blackout_end_date")
FITS = 0.2
"""A statement that is further from what was metered than this share is none of that meter."""


def _sample(name: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return a sample's readings and temperatures in degC, and what is stated of it."""
    from opendsm.eemeter.samples import load_sample

    fahrenheit = name.startswith("il-")
    meter, temperature, stated = load_sample(name, tempF=fahrenheit)
    degc = (temperature - 32.0) / 1.8 if fahrenheit else temperature
    return meter["value"], degc, stated


def samples() -> list[str]:
    """Return the samples with hourly readings whose statement is their own: real houses carry the same round figures, whatever they drew."""
    from opendsm.eemeter.samples import samples as named

    return [n for n in named() if "-hourly" in n and _fits(n)]


def _fits(name: str) -> bool:
    import pandas as pd

    readings, _, stated = _sample(name)
    begins, year = pd.Timestamp(stated[CHANGE[0]]), pd.Timedelta(YEAR)
    before = readings[(readings.index >= begins - year) & (readings.index < begins)]
    metered = float(before.mean() * year / pd.Timedelta("1h"))
    return abs(metered / stated["annual_baseline_total_load"] - 1.0) < FITS


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
        "change": [stated[k].isoformat() for k in CHANGE],
        "saved_share": 1.0 - after / before,
    }


def daily_saving(name: str) -> dict[str, float]:
    """Return the share that OpenDSM's daily model says was saved in the year after the change."""
    import pandas as pd
    from opendsm.eemeter import DailyBaselineData, DailyModel, DailyReportingData

    readings, degc, stated = _sample(name)
    fahrenheit = degc * 1.8 + 32.0
    electric = "electricity" in name
    begins, ends = (pd.Timestamp(stated[k]) for k in CHANGE)
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
