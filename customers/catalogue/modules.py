"""Service modules and base packages as versioned data, read whole and checked against the cost library."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from models.carriers import Carrier
from models.errors import DataError
from models.findings import Finding, error
from models.site.documents import finding_of, read_yaml, repeated_keys

FORMAT = "jouletwin-catalogue/1"
SHIPPED = Path(__file__).parent / "catalogue.yaml"
ORDER = ("emergency", "ev_charging", "integrated", "single")
"""Which package a set of modules is called by, the most particular first."""


@dataclass(frozen=True, slots=True)
class ServiceModule:
    """A standard building block of services; ``needs`` are facts of a customer, ``brings`` modules that come with it."""

    id: str
    title: Mapping[str, str]
    carrier: Carrier
    kind: Literal["asset", "service", "commodity"]
    needs: tuple[str, ...]
    costs: tuple[str, ...]
    brings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BasePackage:
    """A package that modules compose into: ``all`` of these, and at least ``least`` of ``any``."""

    id: str
    title: Mapping[str, str]
    all: tuple[str, ...]
    any: tuple[str, ...]
    least: int

    def fits(self, modules: Iterable[str]) -> bool:
        """Return whether a set of modules is this package, operation and maintenance left out of account."""
        chosen = set(modules) - {"maintenance"}
        others = chosen - set(self.all)
        return set(self.all) <= chosen and others <= set(self.any) and len(others) >= self.least


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that can be sold, under one version."""

    version: str
    modules: Mapping[str, ServiceModule]
    packages: Mapping[str, BasePackage]

    def composed(self, modules: Iterable[str]) -> frozenset[str]:
        """Return a choice with what it brings along."""
        chosen = {"supply", *modules}
        return frozenset(chosen | {b for m in chosen for b in self.modules[m].brings})

    def package_of(self, modules: Iterable[str]) -> str:
        """Return which base package a set of modules is; what fits none of the particular ones is an integrated one."""
        chosen = frozenset(modules)
        return next((p for p in ORDER if self.packages[p].fits(chosen)), "integrated")


@dataclass(frozen=True, slots=True)
class _File:
    """What a catalogue file holds."""

    format: Literal["jouletwin-catalogue/1"]
    version: str
    modules: tuple[ServiceModule, ...]
    packages: tuple[BasePackage, ...]


def load_catalogue(path: Path = SHIPPED, known_costs: Iterable[str] | None = None) -> Catalogue:
    """Return a catalogue; ``known_costs`` are the figures that its modules may ask for.

    Raises
    ------
    DataError
        With every problem of the file.
    """
    document, root, found = read_yaml(path)
    if not found:
        found = repeated_keys(root)
        try:
            file = TypeAdapter(_File).validate_python(document)
            found += list(_check(file, known_costs))
        except ValidationError as wrong:
            found += [finding_of(p, document, root, _File) for p in wrong.errors()]
    if found:
        raise DataError(found)
    return Catalogue(file.version, {m.id: m for m in file.modules}, {p.id: p for p in file.packages})


def _check(file: _File, known_costs: Iterable[str] | None) -> Iterator[Finding]:
    names = [m.id for m in file.modules]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield error(f"modules.{name}", "stands twice; keep one")
    if missing := set(ORDER) - {p.id for p in file.packages}:
        yield error(
            "packages", f"lack {', '.join(sorted(missing))}; the four base packages are told apart by these names"
        )
    for package in file.packages:
        for unknown in sorted((set(package.all) | set(package.any)) - set(names)):
            yield error(f"packages.{package.id}", f"{unknown} is no module of the catalogue")
    for module in file.modules:
        for unknown in sorted(set(module.brings) - set(names)):
            yield error(f"modules.{module.id}.brings", f"{unknown} is no module of the catalogue")
        for unknown in sorted(set(module.costs) - set(known_costs if known_costs is not None else module.costs)):
            yield error(f"modules.{module.id}.costs", f"{unknown} is no figure of the cost library")
