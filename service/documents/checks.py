"""What each kind of document has to be, judged whole: its form, what it refers to, and what it would do."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from models.errors import DataError
from models.findings import Finding, error, errors_in
from models.site.places import line_of
from service.documents.tables import profile_csv

NAME = r"^[a-z0-9][a-z0-9_-]{0,59}$"
DEEPEST = 40
ONLY_READ = "a device is put into service and taken out at /api/v1/devices, which reads it first"
STEP = re.compile(r"[^.\[\] ]+")
"""One part of a finding's place, a name or the number of an entry."""


class DocumentKind(StrEnum):
    """What a document is."""

    SITE = "site"
    PROFILES = "profiles"
    MAP = "map"
    TARIFF = "tariff"
    DEVICE = "device"
    """Where a device answers and how; put into service at /api/v1/devices, which reads it first."""

    @property
    def ending(self) -> str:
        """Return how a site file's folder names such a document."""
        return ".csv" if self is DocumentKind.PROFILES else ".yaml"


Files = Mapping[str, bytes]
"""Documents that are kept already, by the names that a site file calls them."""


def judged(kind: DocumentKind, name: str, content: bytes, others: Files) -> tuple[bytes, list[Finding]]:
    """Return a document as it is to be kept, and the warnings about it; ``others`` are what it may refer to.

    Raises
    ------
    DataError
        With every finding when one of them is an error.
    """
    if kind is DocumentKind.DEVICE:
        raise DataError([error(name, ONLY_READ)])
    if kind is DocumentKind.PROFILES:
        return profile_csv(content), []
    text = plain_yaml(content)
    judge: Mapping[DocumentKind, Callable[[str, str, Files], list[Finding]]] = {
        DocumentKind.SITE: _site,
        DocumentKind.MAP: _map,
        DocumentKind.TARIFF: _tariff,
    }
    findings = judge[kind](name, text, others)
    if errors_in(findings):
        raise DataError(findings)
    return content, findings


def plain_yaml(content: bytes) -> str:
    """Return the text of a YAML document that is as large as it looks.

    Raises
    ------
    DataError
        If it is no UTF-8 text, is nested too deeply, or refers to parts of itself, from which a small text grows without end.
    """
    try:
        text = content.decode("utf-8-sig")
        level = 0
        for found in yaml.parse(text, Loader=yaml.CSafeLoader):
            mark = found.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            if isinstance(found, yaml.AliasEvent):
                where = f"line {line}, column {column}"
                words = "refers to another part (*name); write it out, references are not taken here"
                raise DataError([error(where, words)])
            level += isinstance(found, yaml.CollectionStartEvent) - isinstance(found, yaml.CollectionEndEvent)
            if level > DEEPEST:
                raise DataError([error(f"line {line}", f"is nested deeper than {DEEPEST} levels")])
    except UnicodeDecodeError as fault:
        raise DataError([error("file", f"is not UTF-8 text: byte {fault.start} cannot be read")]) from None
    except yaml.YAMLError as fault:
        raise DataError([error("file", f"is not YAML: {' '.join(str(fault).split())[:300]}")]) from None
    return text


def laid_out(folder: Path, files: Files) -> None:
    """Write documents beside one another, as a site file expects them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _site(name: str, text: str, others: Files) -> list[Finding]:
    from hil.maps.bind import check_devices
    from models.site.file import read_site

    with TemporaryDirectory(prefix="jouletwin-site-") as place:
        folder, file = Path(place), f"{name}{DocumentKind.SITE.ending}"
        laid_out(folder, {**others, file: text.encode()})
        site, findings = read_site(folder / file, check_devices)
        outside = [f for f in findings if str(folder) in f.message]
        told = [f for f in findings if f not in outside]
        told += [error(f.place, "names a document that is not kept here; bring it first") for f in outside]
    if site is not None and site.profiles is not None and Path(site.profiles.file).name != site.profiles.file:
        told.append(error("profiles.file", "is a path; name a document of the kind profiles, like park.csv"))
    return told


def _map(name: str, text: str, _others: Files) -> list[Finding]:
    from hil.maps.load import parse_map

    return _lined(parse_map(text, name)[1], text)


def _tariff(name: str, text: str, _others: Files) -> list[Finding]:
    from models.tariffs.file import read_tariff

    document = yaml.load(text, Loader=yaml.CSafeLoader)
    if not isinstance(document, dict):
        return [error(name, "is no mapping of a tariff's fields")]
    return _lined(read_tariff(document, name, "UTC")[1], text)


def _lined(findings: Iterable[Finding], text: str) -> list[Finding]:
    """Return findings with the line on which what they are about stands, or would stand."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    found = [(f, line_of([int(s) if s.isdigit() else s for s in STEP.findall(f.place)], root)) for f in findings]
    return [replace(f, message=f"{f.message} (line {line})") if line else f for f, line in found]
