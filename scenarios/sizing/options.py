"""The options file: what may be built on a site, what it costs in which currency, and the years that count; every problem found at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.components import AnyAsset, Store
from models.errors import DataError
from models.findings import Finding, error, errors_in
from models.site import Site
from models.site.check import check_site
from models.site.documents import finding_of, read_yaml, repeated_keys
from models.site.profiles import read_profiles
from models.units import Id, Kw, Kwh, Money, Positive, PositiveKw, PositiveKwh, Share
from optimizers.outlook import Outlook
from optimizers.sizes import SizeOption

FORMAT = "jouletwin-options/1"
POWER_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pv": ("peak_kw",),
    "wind": ("rated_kw",),
    "battery": ("charge_max_kw", "discharge_max_kw"),
    "hot_tank": ("charge_max_kw", "discharge_max_kw"),
    "cold_store": ("charge_max_kw", "discharge_max_kw"),
    "gas_boiler": ("heat_max_kw",),
    "heat_pump": ("heat_max_kw",),
    "electric_boiler": ("heat_max_kw",),
    "electric_chiller": ("cold_max_kw",),
    "absorption_chiller": ("cold_max_kw",),
    "electrolyser": ("power_max_kw",),
    "grid_connection": ("import_max_kw", "export_max_kw"),
    "gas_supply": ("import_max_kw",),
}
"""Which fields of a kind are its power; they grow together."""
IN_UNITS = frozenset(
    {"chp", "gas_boiler", "heat_pump", "electric_boiler", "electric_chiller", "absorption_chiller", "electrolyser"}
)
PRICES = ("energy", "export", "gas", "demand", "co2", "maintenance", "start", "wear")
"""Parts of the cost of operation whose prices may grow."""
Growth = Annotated[float, Gt(-0.5), Lt(0.5), Field(description="share per year, in real terms")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PowerSize(_Part):
    """A size in kW: its limits as totals, and what a kW costs."""

    most_kw: PositiveKw
    least_kw: Kw = 0.0
    step_kw: PositiveKw | None = Field(None, description="sold in steps of so many kW; any size when left out")
    cost_per_kw: Money
    om_per_kw_year: Money = 0.0


class EnergySize(_Part):
    """A size in kWh: its limits as totals, and what a kWh costs."""

    most_kwh: PositiveKwh
    least_kwh: Kwh = 0.0
    step_kwh: PositiveKwh | None = Field(None, description="sold in steps of so many kWh; any size when left out")
    cost_per_kwh: Money
    om_per_kwh_year: Money = 0.0


class UnitSize(_Part):
    """A number of equal units, each as the asset describes it."""

    most: Annotated[int, Ge(1), Le(20)]
    least: Annotated[int, Ge(0), Le(20)] = 0
    cost_per_unit: Money
    om_per_unit_year: Money = 0.0


class OptionDocument(_Part):
    """One thing that may be built: a new asset, or more of one that the site has."""

    id: Id
    asset: AnyAsset | None = Field(
        None, description="a new asset as in the site file, at any size; costs scale from it"
    )
    expands: Id | None = Field(None, description="an asset of the site that may grow")
    power: PowerSize | None = None
    energy: EnergySize | None = None
    units: UnitSize | None = None
    cost_once: Money = Field(0.0, description="paid once if anything at all is built")
    lifetime_years: Annotated[int, Ge(1), Le(100)]
    degradation_share: Share = Field(0.0, description="lost per year of what is left, until it is replaced")
    sources: Mapping[str, str] = Field(description="where each cost comes from, by the name of its field")


class OptionsDocument(_Part):
    """What may be built on a site, and the years that it is judged over."""

    format: Literal["jouletwin-options/1"] = Field(description="version of this format")
    title: str
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217; the site's own")]
    years: Annotated[int, Ge(1), Le(60)] = 20
    discount_rate: Annotated[float, Gt(-0.5), Lt(1.0)] = 0.06
    stages: Annotated[tuple[int, ...], MinLen(1)] = Field(
        (0,), description="years in which may be built, from 0, rising"
    )
    price_growth: Mapping[str, Growth] = Field({}, description="by part of the cost: energy, gas, demand, ...")
    load_growth: Growth = 0.0
    co2_price_per_kg: Annotated[float, Ge(0)] = 0.0
    co2_cap_kg_per_year: Annotated[float, Ge(0)] | None = None
    unserved_price_per_kwh: Positive = 20.0
    typical_periods: Annotated[int, Ge(1), Le(366)] = 12
    hours_per_period: Annotated[int, Ge(1), Le(168)] = 24
    whole_operation: bool = Field(False, description="engines run or stand, also while sizing; slower")
    options: Annotated[tuple[OptionDocument, ...], MinLen(1)]


@dataclass(frozen=True)
class Options:
    """An options file that fits its site: the site with every option's asset in it, and what a sizing problem needs beside."""

    document: OptionsDocument
    site: Site
    """With the assets of all options at the sizes that their descriptions give."""
    before: Site
    sizes: tuple[SizeOption, ...]
    outlook: Outlook


def load_options(path: Path | str, site: Site) -> Options:
    """Return the options that a file describes for a site.

    Raises
    ------
    DataError
        With every finding when the file has at least one error.
    """
    options, findings = read_options(path, site)
    if options is None or errors_in(findings):
        raise DataError(findings)
    return options


def read_options(path: Path | str, site: Site) -> tuple[Options | None, list[Finding]]:
    """Return the options in a file and everything wrong with them; None when the document itself is malformed."""
    given, root, unreadable = read_yaml(Path(path))
    if unreadable:
        return None, unreadable
    if not isinstance(given, dict):
        return None, [error("the file", f"holds no mapping; begin with 'format: {FORMAT}'")]
    return parse_options(given, site, root)


def parse_options(
    given: Mapping[str, Any], site: Site, root: yaml.Node | None = None
) -> tuple[Options | None, list[Finding]]:
    """Return the options in a document and everything wrong with them; ``root`` gives line numbers."""
    repeated = repeated_keys(root)
    try:
        document = OptionsDocument.model_validate(given)
    except ValidationError as fault:
        problems = [p for p in fault.errors(include_url=False) if p["type"] != "too_short" or not p["input"]]
        return None, repeated + [finding_of(p, given, root, OptionsDocument) for p in problems]
    findings = repeated + list(_check(document, site))
    options = _options_of(_sound(document, findings), site)
    findings += _check_site(options)
    return (None if errors_in(findings) else options), findings


def _sound(document: OptionsDocument, findings: Sequence[Finding]) -> OptionsDocument:
    """Return the document without the options that something is wrong with, so that the others are checked all the same."""
    bad = {o.id for o in document.options for f in findings if f.place.startswith(f"options[{o.id}]")}
    return document.model_copy(update={"options": tuple(o for o in document.options if o.id not in bad)})


def options_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the options format."""
    return OptionsDocument.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def _check(document: OptionsDocument, site: Site) -> Iterator[Finding]:
    """Yield what is wrong between the parts of the document, and with the site."""
    if document.currency != site.currency:
        yield error(
            "currency",
            f"is {document.currency}, the site's tariffs are in {site.currency}; convert the costs and name {site.currency}",
        )
    stages = document.stages
    if stages[0] != 0 or list(stages) != sorted(set(stages)) or stages[-1] >= document.years:
        yield error("stages", f"are {list(stages)}; they begin with 0, rise, and end before year {document.years}")
    for part in document.price_growth:
        if part not in PRICES:
            yield error(f"price_growth.{part}", f"no part of the cost has this name; use {', '.join(PRICES)}")
    seen: set[str] = set()
    for option in document.options:
        place = f"options[{option.id}]"
        if option.id in seen:
            yield error(place, "this id stands twice; give each option its own")
        seen.add(option.id)
        yield from _check_option(place, option, site)


def _check_option(place: str, option: OptionDocument, site: Site) -> Iterator[Finding]:
    known = {a.id: a for a in site.assets}
    if (option.asset is None) == (option.expands is None):
        yield error(
            place, "needs either an asset (something new) or expands (an asset of the site), and one of them only"
        )
        return
    if option.asset is not None and option.asset.id in known:
        yield error(
            f"{place}.asset.id", f"the site has an asset {option.asset.id} already; choose another id, or use expands"
        )
    if option.expands is not None and option.expands not in known:
        yield error(f"{place}.expands", f"the site has no asset {option.expands}")
        return
    asset = option.asset if option.asset is not None else known[option.expands or ""]
    yield from _check_sizes(place, option, asset)
    for name in _unsourced(option):
        yield error(
            f"{place}.sources.{name}",
            "this cost has no source; say where it comes from ('example' or 'guess' if nobody published it)",
        )


def _check_sizes(place: str, option: OptionDocument, asset: AnyAsset) -> Iterator[Finding]:
    if option.power is None and option.energy is None and option.units is None:
        yield error(place, "has no size; give power, energy or units")
    if option.power is not None and asset.kind not in POWER_FIELDS:
        yield error(f"{place}.power", f"a {asset.kind} is not sold by the kW; give units")
    if option.energy is not None and not isinstance(asset, Store):
        yield error(f"{place}.energy", f"a {asset.kind} stores nothing; give power")
    if option.units is not None:
        if asset.kind not in IN_UNITS or option.expands:
            yield error(
                f"{place}.units", f"units are for new converters, not for a {asset.kind} or an asset that grows"
            )
        if option.power is not None or option.energy is not None:
            yield error(f"{place}.units", "stands beside another size; give one or the other")
    for name, least, most, existing in _limits(option, asset):
        if least > most:
            yield error(f"{place}.{name}", f"the least, {least:g}, is more than the most, {most:g}")
        elif most < existing:
            yield error(
                f"{place}.{name}", f"the most, {most:g}, is less than what the site has, {existing:g}; sizes are totals"
            )


def _limits(option: OptionDocument, asset: AnyAsset) -> Iterator[tuple[str, float, float, float]]:
    """Yield (name, least, most, existing) of every size."""
    there = 1.0 if option.expands else 0.0
    if option.power is not None and asset.kind in POWER_FIELDS:
        existing = there * float(getattr(asset, POWER_FIELDS[asset.kind][0]))
        yield "power", option.power.least_kw, option.power.most_kw, existing
    if option.energy is not None and isinstance(asset, Store):
        yield "energy", option.energy.least_kwh, option.energy.most_kwh, there * asset.energy_kwh
    if option.units is not None:
        yield "units", option.units.least, option.units.most, 0.0


def _unsourced(option: OptionDocument) -> Iterator[str]:
    """Yield the names of costs that are paid and have no source."""
    if option.cost_once and "cost_once" not in option.sources:
        yield "cost_once"
    for size in (option.power, option.energy, option.units):
        for name, value in size.model_dump().items() if size is not None else ():
            if name.startswith(("cost_", "om_")) and value and name not in option.sources:
                yield name


def _check_site(options: Options) -> list[Finding]:
    """Return what is wrong with the site that the options make and was not wrong before."""
    site, before = options.site, options.before
    known = {(f.place, f.message) for f in check_site(before)}
    findings = [f for f in check_site(site) if (f.place, f.message) not in known]
    if site.profiles is not None:
        wanted = tuple(n for n in site.series() if n not in before.series())
        findings += read_profiles(site.folder, site.profiles, wanted)[1] if wanted else []
    return findings


def _options_of(document: OptionsDocument, site: Site) -> Options:
    added: list[AnyAsset] = []
    sizes: list[SizeOption] = []
    for option in document.options:
        asset = option.asset if option.asset is not None else site.asset(option.expands or "")
        if option.units is not None:
            copies = tuple(f"{asset.id}_{k + 1}" for k in range(option.units.most))
            added += [replace(asset, id=copy) for copy in copies]
            sizes.append(_units(option, asset, copies))
            continue
        added += [asset] if option.asset is not None else []
        sizes += _quantities(option, asset)
    outlook = Outlook(
        years=document.years,
        discount_rate=document.discount_rate,
        stages=document.stages,
        price_growth=dict(document.price_growth),
        load_growth=document.load_growth,
    )
    return Options(document, replace(site, assets=(*site.assets, *added)), site, tuple(sizes), outlook)


def _units(option: OptionDocument, asset: AnyAsset, copies: Sequence[str]) -> SizeOption:
    units = option.units
    assert units is not None  # noqa: S101 - the caller has looked
    return SizeOption(
        asset=asset.id,
        unit="units",
        most=float(units.most),
        least=float(units.least),
        copies=tuple(copies),
        cost=units.cost_per_unit,
        cost_once=option.cost_once,
        om_per_year=units.om_per_unit_year,
        lifetime_years=option.lifetime_years,
        degradation_share=option.degradation_share,
    )


def _quantities(option: OptionDocument, asset: AnyAsset) -> list[SizeOption]:
    """Return the sizes in kW and kWh; of a store with only one of them the other grows with it."""
    power = POWER_FIELDS.get(asset.kind, ())
    energy = ("energy_kwh",) if isinstance(asset, Store) else ()
    both = option.power is not None and option.energy is not None
    common: dict[str, Any] = {
        "asset": asset.id,
        "lifetime_years": option.lifetime_years,
        "degradation_share": option.degradation_share,
    }
    found: list[SizeOption] = []
    for name, least, most, existing in _limits(option, asset):
        size = option.power if name == "power" else option.energy
        own = power if name == "power" else energy
        figures = _figures(size)
        found.append(
            SizeOption(
                unit="kW" if name == "power" else "kWh",
                most=most,
                least=max(least, existing),
                existing=existing,
                reference=float(getattr(asset, own[0])),
                fields=own if both else (*own, *(f for f in (*power, *energy) if f not in own)),
                cost_once=option.cost_once if not found else 0.0,
                **figures,
                **common,
            )
        )
    return found


def _figures(size: PowerSize | EnergySize | None) -> dict[str, Any]:
    if isinstance(size, PowerSize):
        return {"step": size.step_kw, "cost": size.cost_per_kw, "om_per_year": size.om_per_kw_year}
    if isinstance(size, EnergySize):
        return {"step": size.step_kwh, "cost": size.cost_per_kwh, "om_per_year": size.om_per_kwh_year}
    return {}
