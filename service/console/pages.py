"""What the console's templates are given: data of the memory and the words of one language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.carriers import Carrier
from models.components import Store
from models.ports import Quality
from models.site import Site
from models.state import Snapshot
from service.console import figures
from service.console.assets import SHELF
from service.console.words import Language, words
from service.memory import Event, Memory
from service.runtime import Runtime
from service.sentences import said, segment_in
from service.views.groups import by_kind
from service.views.tiles import key_figures

TEMPLATES = Path(__file__).parent / "templates"
COMMANDS_SHOWN = 12
EVENTS_SHOWN = 7
GOOD_STATUS = ("optimal", "gap")


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One asset's powers with the worst quality and the highest age among its values."""

    asset: str
    title: str
    power_kw: Mapping[Carrier, float]
    quality: Quality
    age_s: float
    residual: float | None
    """The largest difference to the twin among its powers, measured less model, in kW."""
    disputed: bool


def environment() -> Environment:
    """Return the template environment; a name that a template misspells is an error, not an empty place."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["static"] = SHELF.path
    found.filters |= {
        "grouped": figures.grouped,
        "percent": figures.percent,
        "said": said,
        "here": figures.here,
        "segment": segment_in,
    }
    return found


def common(runtime: Runtime, language: Language) -> dict[str, object]:
    """Return what every template needs."""
    site = runtime.site
    spoken, zone = words(language), site.location.time_zone
    return {
        "w": spoken,
        "data_carriers": [c for c in site.carriers if c is not Carrier.WATER],
        "language": language,
        "site": site,
        "runtime": runtime,
        "age": lambda seconds: figures.age(seconds, spoken),
        "clock": lambda at, pattern="%H:%M:%S": figures.local_time(at, zone, pattern),
        "later": lambda at, hours: at + timedelta(hours=hours),
        "utc_offset": f"UTC{offset_words(site, runtime.clock.now())}",
    }


def tiles(runtime: Runtime) -> dict[str, object]:
    """Return the key figures, None before the first snapshot."""
    snapshot = runtime.memory.snapshot
    return {"figures": None if snapshot is None else key_figures(runtime.memory, snapshot)}


def commands(runtime: Runtime) -> dict[str, object]:
    """Return the last commands with the titles of their assets."""
    site = runtime.site
    titles = {d.id: site.asset(d.asset).title or d.asset for d in site.devices}
    return {
        "receipts": runtime.memory.receipts()[:COMMANDS_SHOWN],
        "to_confirm": {c.id for c in runtime.desk.waiting()},
        "titles": titles,
        "outcomes": runtime.memory.outcomes(),
    }


def events(runtime: Runtime) -> dict[str, object]:
    """Return the last events that people should see, newest first."""
    return {"events": list(reversed(unusual(runtime.memory.events.after(0))))[:EVENTS_SHOWN]}


def alarms(runtime: Runtime) -> dict[str, object]:
    """Return every alarm that stands: those that wait for somebody first, shelved ones last; apart, those held back in a flood."""
    standing = runtime.memory.alarms.standing()
    return {
        "alarms": [a for a in standing if not a.quiet],
        "quiet_alarms": [a for a in standing if a.quiet],
        "flooded": runtime.memory.alarms.flooded,
        "named": {a.id: a.title or a.id for a in runtime.site.assets},
    }


def unusual(events: Sequence[Event]) -> list[Event]:
    """Return what people should see: faults, the guard, and plans that are not as they should be, told once until that changes."""
    found: list[Event] = []
    before = (True, True)
    for event in events:
        if event.kind in ("guard", "fault", "recovery"):
            found.append(event)
        elif event.kind == "plan":
            state = (event.data["status"] in GOOD_STATUS, event.data["ok"] is not False)
            if state != before:
                found.append(event)
            before = state
    return found


def values(runtime: Runtime) -> dict[str, object]:
    """Return one row per asset with its powers, quality and age."""
    snapshot = runtime.memory.snapshot
    return {"rows": [] if snapshot is None else value_rows(runtime.memory, snapshot)}


def value_rows(memory: Memory, snapshot: Snapshot) -> list[ValueRow]:
    """Return a row for every asset that has values, in file order."""
    power = memory.history.matrix(snapshot.power_kw)
    rows = []
    for asset in memory.site.assets:
        tags = [t for (name, _), t in snapshot.tags.items() if name == asset.id]
        if not tags:
            continue
        shown = {
            c: float(power[memory.history.assets.index(asset.id), memory.history.carriers.index(c)])
            for c in asset.ports()
            if c in memory.history.carriers
        }
        worst = max((t.quality for t in tags), key=GRAVITY.index)
        off = [
            t.residual
            for (name, what), t in snapshot.tags.items()
            if name == asset.id and what.endswith("_kw") and t.residual is not None
        ]
        residual = max(off, key=abs, default=None)
        aged = max(t.age_s for t in tags)
        rows.append(
            ValueRow(asset.id, asset.title or asset.id, shown, worst, aged, residual, worst is Quality.UNCERTAIN)
        )
    return rows


GRAVITY = (Quality.GOOD, Quality.UNCERTAIN, Quality.SUBSTITUTED, Quality.STALE, Quality.BAD)


def page_data(runtime: Runtime, language: Language) -> dict[str, object]:
    """Return what the page's scripts need: words, zone, kinds in order, assets that can be looked at alone."""
    site = runtime.site
    return {
        "language": language,
        "words": words(language),
        "time_zone": site.location.time_zone,
        "utc_offset_s": utc_offset_s(site, runtime.clock.now()),
        "utc_offset": offset_words(site, runtime.clock.now()),
        "kinds": list(by_kind(site)),
        "carriers": [c.value for c in site.carriers if c is not Carrier.WATER],
    }


def assets(site: Site) -> dict[str, object]:
    """Return (id, title) of the assets that can be looked at alone, in the order of pictures, and the one that is shown first."""
    found = [a for kind, group in by_kind(site).items() if kind != "consumer" for a in group]
    first = next((a for a in found if isinstance(a, Store)), found[0])
    return {"assets": [(a.id, a.title or a.id) for a in found], "shown_asset": first.id}


def utc_offset_s(site: Site, at: datetime) -> int:
    """Return how far the site's local time is ahead of UTC."""
    offset = at.astimezone(ZoneInfo(site.location.time_zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def offset_words(site: Site, at: datetime) -> str:
    """Return how far the site's local time is ahead of UTC, like +08:00."""
    return at.astimezone(ZoneInfo(site.location.time_zone)).isoformat()[-6:]
