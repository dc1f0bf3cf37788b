"""The cost library: every figure with a range and its sources; a file of your own replaces figures one by one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from models.errors import DataError
from models.findings import Finding, error, warning
from models.site.documents import finding_of, read_yaml, repeated_keys

FORMAT = "jouletwin-costs/1"
SHIPPED = Path(__file__).parent / "costs.yaml"
Level = Literal["low", "central", "high"]
Basis = Literal["published", "press", "example", "assumed"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure was read: in a publication or its data file, in a report on it, in a shipped example, or nowhere."""

    basis: Basis
    text: str


@dataclass(frozen=True, slots=True)
class CostItem:
    """One figure with its range; ``low`` <= ``central`` <= ``high`` in the unit named."""

    id: str
    unit: str
    low: float
    central: float
    high: float
    sources: tuple[Source, ...]

    def at(self, level: Level) -> float:
        """Return the figure at one end of its range, or its centre."""
        return {"low": self.low, "central": self.central, "high": self.high}[level]

    @property
    def sourced(self) -> bool:
        """Whether somebody has published or reported a figure behind it."""
        return any(s.basis in ("published", "press") for s in self.sources)


@dataclass(frozen=True, slots=True)
class CostLibrary:
    """Figures by name; ``levels`` moves single ones to an end of their range, everything else is central."""

    version: str
    currency: str
    items: Mapping[str, CostItem]
    levels: Mapping[str, Level] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """Return a figure at the level that holds."""
        return self.items[name].at(self.levels.get(name, "central"))

    def with_level(self, name: str, level: Level) -> "CostLibrary":
        """Return the library with one figure moved.

        Raises
        ------
        KeyError
            If there is no such figure.
        """
        self.items[name]
        return replace(self, levels={**self.levels, name: level})


@dataclass(frozen=True, slots=True)
class _File:
    """What a file of costs holds."""

    format: str
    version: str
    currency: str
    items: tuple[CostItem, ...]


def load_costs(path: Path | None = None) -> CostLibrary:
    """Return the shipped library, with the figures of a file of the same form in place of its own.

    Raises
    ------
    DataError
        With every problem of the file: form, order of a range, a figure without source, an unknown name or another unit.
    """
    shipped = _read(SHIPPED)
    if path is None:
        return shipped
    own = _read(path)
    if found := list(_foreign(own, shipped)):
        raise DataError(found)
    return replace(shipped, version=f"{shipped.version}+{own.version}", items={**shipped.items, **own.items})


def _foreign(own: CostLibrary, shipped: CostLibrary) -> Iterator[Finding]:
    if own.currency != shipped.currency:
        yield error("currency", f"is {own.currency}; the shipped figures beside it are in {shipped.currency}")
    for name, item in own.items.items():
        if name not in shipped.items:
            yield error(f"items.{name}", f"is asked for by no module; known are {', '.join(shipped.items)}")
        elif item.unit != shipped.items[name].unit:
            yield error(f"items.{name}.unit", f"is {item.unit}; modules count in {shipped.items[name].unit}")


@lru_cache(maxsize=4)
def _read(path: Path) -> CostLibrary:
    document, root, found = read_yaml(path)
    if not found:
        found = repeated_keys(root)
        try:
            file = TypeAdapter(_File).validate_python(document)
            found += list(check_costs(file.items)) if file.format == FORMAT else [_other_format(file.format)]
        except ValidationError as wrong:
            found += [finding_of(p, document, root, _File) for p in wrong.errors()]
    if found:
        raise DataError(found)
    return CostLibrary(file.version, file.currency, {i.id: i for i in file.items})


def _other_format(named: str) -> Finding:
    return error("format", f"is {named}; this reads {FORMAT}")


def check_costs(items: tuple[CostItem, ...]) -> Iterator[Finding]:
    """Yield what is wrong with figures: names twice, ranges out of order, no source."""
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            yield error(f"items.{item.id}", "stands twice; keep one")
        seen.add(item.id)
        if not item.low <= item.central <= item.high:
            yield error(f"items.{item.id}", f"{item.low:g} <= {item.central:g} <= {item.high:g} does not hold")
        if not item.sources:
            yield error(f"items.{item.id}", "has no source; name one, or say that it is assumed")


def unsourced(library: CostLibrary) -> list[Finding]:
    """Return a warning for every figure that nobody has published: those to bring first."""
    return [
        warning(f"items.{i.id}", f"{i.central:g} {i.unit} is assumed or an example; bring your own figure")
        for i in library.items.values()
        if not i.sourced
    ]
