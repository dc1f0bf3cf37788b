"""Calibrations beside a site file: every revision is kept, the newest of each kind and subject is in force."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.errors import SetupError
from models.site import Site
from models.site.file import load_site
from models.station import Port
from twin.calibrate import Calibration
from twin.calibrated import calibrated, gains_of

FORMAT = "jouletwin-calibration/1"


@dataclass(frozen=True, slots=True)
class Revised:
    """A site as its newest calibrations found it; without any, as its file states it."""

    site: Site
    gains: dict[Port, float]
    friction_known: frozenset[str]
    volume_known: frozenset[str]
    """Networks whose friction, and whose pipe volume, was found."""
    revision: str
    """Names the calibrations in force; empty without any."""


def beside(site_file: Path) -> Path:
    """Return where a site's calibrations are kept."""
    return site_file.with_suffix(".calibration.json")


def load_revised(site_file: Path, calibrations: Path | None = None) -> Revised:
    """Return a site with the calibrations in force worked in; ``calibrations`` in place of the file beside it."""
    site, found = load_site(site_file), in_force(read_revisions(calibrations or beside(site_file)))
    friction, volume = (frozenset(c.subject for c in found if c.kind == kind) for kind in ("friction", "pipe_volume"))
    revision = "-".join(sorted({c.revision[:6] for c in found}))
    return Revised(calibrated(site, found), gains_of(found), friction, volume, revision)


def in_force(revisions: Iterable[Calibration]) -> tuple[Calibration, ...]:
    """Return the newest calibration of each kind and subject; later ones stand further back in the file."""
    return tuple({(c.kind, c.subject): c for c in revisions}.values())


def read_revisions(path: Path) -> tuple[Calibration, ...]:
    """Return every calibration in a file, oldest first; none when there is no file.

    Raises
    ------
    SetupError
        If the file is no file of calibrations.
    """
    if not path.exists():
        return ()
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] != FORMAT:
            raise KeyError(body["format"])
        return tuple(Calibration.from_json(json.dumps(c["values"])) for c in body["revisions"])
    except (ValueError, KeyError, TypeError) as fault:
        raise SetupError(f"{path} is no file of calibrations ({fault}); move it away and calibrate again") from None


def append_revisions(path: Path, made: Iterable[Calibration], at: datetime) -> None:
    """Add calibrations to a file; the same values again add nothing.

    Raises
    ------
    SetupError
        If the file is something else or cannot be written.
    """
    known = {c.revision for c in read_revisions(path)}
    old = json.loads(path.read_text(encoding="utf-8"))["revisions"] if path.exists() else []
    new = [
        {"revision": c.revision, "made_at": at.isoformat(), "values": json.loads(c.to_json())}
        for c in made
        if c.revision not in known
    ]
    try:
        path.write_text(json.dumps({"format": FORMAT, "revisions": [*old, *new]}, indent=1) + "\n", encoding="utf-8")
    except OSError as fault:
        raise SetupError(f"{path} cannot be written: {fault.strerror or fault}; choose another with --out") from None
