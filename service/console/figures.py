"""How numbers and times are written for people."""

import re
from datetime import datetime
from math import isfinite
from zoneinfo import ZoneInfo

THIN_SPACE = "\u2009"


def grouped(value: float | None, digits: int = 0) -> str:
    """Return a number with thin spaces between thousands, a real minus, and a dash when there is none."""
    if value is None or not isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}".replace(",", THIN_SPACE)
    if text.lstrip("-").strip("0.") == "":
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent(share: float | None) -> str:
    """Return a share as whole percent."""
    return grouped(None if share is None else 100.0 * share) + (f"{THIN_SPACE}%" if share is not None else "")


def local_time(at: datetime, time_zone: str, pattern: str = "%H:%M:%S") -> str:
    """Return an instant in the site's local time."""
    return at.astimezone(ZoneInfo(time_zone)).strftime(pattern)


def here(text: str, time_zone: str) -> str:
    """Return a sentence as people of the site read it: instants on their clock, degrees with their sign."""
    return WRITTEN.sub(lambda at: local_time(datetime.fromisoformat(at[1] + "Z"), time_zone, MINUTE), text).replace(
        " degC", " °C"
    )


MINUTE = "%Y-%m-%d %H:%M"
WRITTEN = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")
"""An instant as sentences of the domain write it."""


def age(seconds: float | None, words: dict[str, str]) -> str:
    """Return an age in its largest sensible unit."""
    if seconds is None or not isfinite(seconds):
        return "–"
    if seconds < 120:
        return f"{max(seconds, 0):.0f}{THIN_SPACE}{words['hours_old_s']}"
    if seconds < 7200:
        return f"{seconds / 60:.0f}{THIN_SPACE}{words['hours_old_min']}"
    return f"{seconds / 3600:.1f}{THIN_SPACE}{words['hours_old_h']}"
