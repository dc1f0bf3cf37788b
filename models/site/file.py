"""The site file: one versioned YAML document, read whole, every problem found at once."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from models.components import AnyAsset
from models.errors import SiteError
from models.findings import Finding, error, errors_in
from models.site.check import check_site
from models.site.documents import finding_of, read_yaml, repeated_keys
from models.site.profiles import read_profiles
from models.site.salvage import not_consequences, salvaged
from models.site.site import FORMAT, AnyContract, Customer, Device, Location, Networks, Node, ProfileFile, Site
from models.units import Id

Check = Callable[[Site], Iterable[Finding]]


class SiteDocument(BaseModel):
    """A Jouletwin site: carriers, nodes, assets, networks, contracts, customers and devices of one multi-energy park."""

    model_config = ConfigDict(extra="forbid", title="Jouletwin site")

    format: Literal["jouletwin-site/1"] = Field(description="version of this format")
    name: Id
    title: str
    notice: str = Field("", description="shown wherever the site is shown")
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217")]
    location: Location
    nodes: Annotated[tuple[Node, ...], MinLen(1)]
    assets: Annotated[tuple[AnyAsset, ...], MinLen(1)]
    networks: Networks = Networks()
    contracts: tuple[AnyContract, ...] = ()
    customers: tuple[Customer, ...] = ()
    devices: tuple[Device, ...] = ()
    profiles: ProfileFile | None = None


def load_site(path: Path | str) -> Site:
    """Return the site that a file describes.

    Raises
    ------
    SiteError
        With every finding when the file has at least one error.
    """
    site, findings = read_site(path)
    if site is None or errors_in(findings):
        raise SiteError(findings)
    return site


def read_site(path: Path | str, *also: Check) -> tuple[Site | None, list[Finding]]:
    """Return the site and everything worth saying about its file; the site is None when the document itself is malformed.

    ``also`` are further checks to run with ours. Where parts of the document are malformed, the others are checked all the same.
    """
    path = Path(path)
    document, root, unreadable = read_yaml(path)
    if unreadable:
        return None, unreadable
    return parse_site(document, path.resolve().parent, root, *also)


def parse_site(
    document: Any, folder: Path, root: yaml.Node | None = None, *also: Check
) -> tuple[Site | None, list[Finding]]:
    """Return the site in a parsed document and its findings; ``folder`` is where relative paths start, ``root`` gives line numbers."""
    repeated = repeated_keys(root)
    if not isinstance(document, dict):
        return None, [error("the file", f"holds no mapping; begin with 'format: {FORMAT}'")]
    try:
        site = _site_of(document, folder)
    except ValidationError as fault:
        problems = fault.errors(include_url=False)
        found = repeated + [finding_of(p, document, root, SiteDocument) for p in problems]
        return None, found + _in_the_rest(document, folder, problems, found, also)
    return site, repeated + _findings_of(site, also)


def _site_of(document: Any, folder: Path) -> Site:
    checked = SiteDocument.model_validate(document)
    parts = {f.name: getattr(checked, f.name) for f in fields(Site) if f.name != "folder"}
    return Site(folder=folder, **parts)


def _findings_of(site: Site, also: Iterable[Check]) -> list[Finding]:
    """Return what is wrong between the parts of a site, with its profiles, and what other checks say; each place once."""
    findings = check_site(site)
    if site.profiles is not None:
        findings += read_profiles(site.folder, site.profiles, site.series())[1]
    known = {f.place for f in findings}
    return findings + [f for check in also for f in check(site) if f.place not in known]


def _in_the_rest(
    document: Any, folder: Path, problems: list[ErrorDetails], found: list[Finding], also: Iterable[Check]
) -> list[Finding]:
    """Return what is wrong with the well-formed rest of a document, so that nobody corrects a file twice."""
    rest, gone = salvaged(document, problems)
    try:
        site = _site_of(rest, folder)
    except ValidationError:
        return []
    return not_consequences(_findings_of(site, also), found, gone)


def site_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the site format."""
    return SiteDocument.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
