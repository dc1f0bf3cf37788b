"""Reading register maps from YAML: shipped ones by name, others by their path beside the site file."""

import json
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from hil.maps.check import check_map
from hil.maps.types import RegisterMap
from models.errors import MapError
from models.findings import Finding, error, errors_in

SHIPPED = Path(__file__).parent / "shipped"
ADAPTER = TypeAdapter(RegisterMap)
WORDS = {
    "unexpected_keyword_argument": "there is no such field; correct its name or remove it",
    "missing": "this field is missing",
    "float_type": "this has to be a number, written without quotes",
    "int_type": "this has to be a whole number, written without quotes",
}
"""Kind of mistake → what to tell the author of the map."""


def shipped_maps() -> tuple[str, ...]:
    """Return the names of the maps that come with the product, sorted."""
    return tuple(sorted(p.stem for p in SHIPPED.glob("*.yaml")))


def map_file(name: str, folder: Path | None = None) -> Path | None:
    """Return the file behind a map's name: a path relative to ``folder`` when it ends in .yaml, a shipped map otherwise."""
    if name.endswith((".yaml", ".yml")):
        path = (folder or Path.cwd()) / name
    else:
        path = SHIPPED / f"{name}.yaml"
    return path if path.is_file() else None


@lru_cache(maxsize=256)
def read_map(name: str, folder: Path | None = None) -> tuple[RegisterMap | None, tuple[Finding, ...]]:
    """Return a map and everything that is wrong with it; the map is None when it cannot be used."""
    path = map_file(name, folder)
    if path is None:
        known = ", ".join(shipped_maps())
        return None, (
            error(f"maps.{name}", f"there is no such map; shipped are {known}, others are paths ending in .yaml"),
        )
    found, findings = parse_map(path.read_text(encoding="utf-8"), path.stem)
    return (None if errors_in(findings) else found), findings


def load_map(name: str, folder: Path | None = None) -> RegisterMap:
    """Return a map that can be used.

    Raises
    ------
    MapError
        With every problem found, when there is an error among them.
    """
    found, findings = read_map(name, folder)
    if found is None:
        raise MapError(findings)
    return found


def parse_map(text: str, name: str) -> tuple[RegisterMap | None, tuple[Finding, ...]]:
    """Return the map that a YAML text describes, and its findings; None when its form is wrong."""
    place = f"maps.{name}"
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        return None, (error(place, f"this is not YAML: {problem}"),)
    try:
        # strict JSON mode: a scale written as text is a mistake, not a number
        found = ADAPTER.validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as problem:
        return None, findings_of(problem, place, data)
    if found.name != name:
        return found, (
            error(f"{place}.name", f"the file is called {name}, the map {found.name}; use one name"),
            *check_map(found),
        )
    return found, check_map(found)


def findings_of(problem: ValidationError, place: str, data: object) -> tuple[Finding, ...]:
    """Return everything that is wrong with the form of ``data``, in words for its author; ``place`` names the file."""
    return tuple(_finding(place, data, e["loc"], WORDS.get(e["type"], e["msg"])) for e in problem.errors())


def _finding(place: str, data: object, loc: tuple[int | str, ...], message: str) -> Finding:
    """Return what pydantic found, placed in the file by index and quantity."""
    words = place
    here = data
    for step in loc:
        if isinstance(step, int):
            words += f"[{step}]"
            here = here[step] if isinstance(here, list) and step < len(here) else None
            if isinstance(here, dict) and (name := here.get("quantity", here.get("kind"))):
                words += f" {name}"
        else:
            words += f".{step}"
            here = here.get(step) if isinstance(here, dict) else None
    return error(words, message)
