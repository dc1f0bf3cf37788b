"""What a well-formed site file can still get wrong: references, limits against one another, missing supply."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import (
    Asset,
    Chp,
    Consumer,
    ElectricChiller,
    Engine,
    EvFleet,
    ExtractionChp,
    FlexibleLoad,
    GasSupply,
    GridConnection,
    HeatPump,
    Meter,
    Pv,
    Store,
    Wind,
)
from models.findings import Finding, error, warning
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.reserve import PROVIDERS
from models.site.site import ElectricityContract, GasContract, Site


def check_site(site: Site) -> list[Finding]:
    """Return everything wrong with a site's references and figures, all at once, in file order of the checks."""
    checks: Sequence[Callable[[Site], Iterable[Finding]]] = (
        _unique_ids,
        _location,
        _nodes,
        _asset_nodes,
        _asset_contracts,
        _reserves,
        _asset_figures,
        _series_units,
        _supply,
        _customers,
        _devices,
        _tariffs,
        _networks,
    )
    return [finding for check in checks for finding in check(site)]


def _unique_ids(site: Site) -> Iterable[Finding]:
    lists = {
        "nodes": site.nodes,
        "assets": site.assets,
        "contracts": site.contracts,
        "customers": site.customers,
        "devices": site.devices,
        "networks": tuple(n for _, n in site.networks),
    }
    for name, items in lists.items():
        for item, count in Counter(i.id for i in items).items():
            if count > 1:
                yield error(f"{name}[{item}]", f"this id stands {count} times; ids are unique in their list", item)


def _location(site: Site) -> Iterable[Finding]:
    try:
        ZoneInfo(site.location.time_zone)
    except (KeyError, ValueError, OSError):
        yield error(
            "location.time_zone", f"{site.location.time_zone!r} is no IANA time zone; write for example Asia/Shanghai"
        )


def _nodes(site: Site) -> Iterable[Finding]:
    networks = {network.id: (carrier, _elements(network)) for carrier, network in site.networks}
    used = {node for asset in site.assets for node in asset.ports().values()}
    for node in site.nodes:
        if node.id not in used:
            yield warning(f"nodes[{node.id}]", "no asset connects here; connect one or drop the node", node.id)
        if node.network is None:
            continue
        place = f"nodes[{node.id}].network"
        if node.network not in networks:
            yield error(place, f"there is no network {node.network}; add it under networks or drop the field", node.id)
            continue
        carrier, elements = networks[node.network]
        if carrier != node.carrier:
            yield error(place, f"{node.network} carries {carrier}, the node {node.carrier}", node.id)
        if node.id not in elements:
            yield error(
                place, f"{node.network} has no bus or junction named {node.id}; the node hangs in the air", node.id
            )


def _elements(network: ElectricNetwork | PipeNetwork | GasNetwork) -> set[str]:
    items = network.buses if isinstance(network, ElectricNetwork) else network.junctions
    return {i.id for i in items}


def _asset_nodes(site: Site) -> Iterable[Finding]:
    carriers = {n.id: n.carrier for n in site.nodes}
    ids = {a.id for a in site.assets}
    for asset in site.assets:
        for carrier, node in asset.ports().items():
            place = f"assets[{asset.id}].{carrier}_node"
            if node not in carriers:
                yield error(place, f"there is no node {node}; add it to nodes or name an existing one", asset.id, node)
            elif carriers[node] != carrier:
                yield error(place, f"{node} is a node of {carriers[node]}; connect a {carrier} node", asset.id, node)
        if isinstance(asset, Consumer):
            for carrier, count in Counter(d.carrier for d in asset.demands).items():
                if count > 1:
                    yield error(
                        f"assets[{asset.id}].demands", f"{carrier} stands {count} times; add the profiles up", asset.id
                    )
        if isinstance(asset, Meter) and asset.asset not in ids:
            yield error(f"assets[{asset.id}].asset", f"there is no asset {asset.asset} to meter", asset.id)


def _asset_contracts(site: Site) -> Iterable[Finding]:
    contracts = {c.id: c for c in site.contracts}
    for asset in site.assets:
        if not isinstance(asset, GridConnection | GasSupply):
            continue
        wanted = ElectricityContract if isinstance(asset, GridConnection) else GasContract
        contract = contracts.get(asset.contract)
        place = f"assets[{asset.id}].contract"
        if contract is None:
            yield error(place, f"there is no contract {asset.contract}; add it to contracts", asset.id)
        elif not isinstance(contract, wanted):
            yield error(place, f"{asset.contract} is a contract for {contract.kind}", asset.id)


def _reserves(site: Site) -> Iterable[Finding]:
    kinds = {a.id: a for a in site.assets}
    taken = Counter(c.id for c in site.contracts) + Counter(a.id for a in site.assets)
    for contract in site.reserves:
        place = f"contracts[{contract.id}]"
        if taken[contract.id] > 1:
            yield error(place, "an asset has this id too; name the contract otherwise", contract.id)
        for unit in contract.providers:
            if not isinstance(kinds.get(unit), PROVIDERS) or Carrier.ELECTRICITY not in kinds[unit].ports():
                words = (
                    f"{unit} is no asset that can hold capacity ready; name engines, batteries or loads that can move"
                )
                yield error(f"{place}.providers", words, contract.id, unit)
        if contract.most_kw is not None and contract.required_kw > contract.most_kw:
            words = (
                f"asks for {contract.required_kw:g} kW and takes at most {contract.most_kw:g} kW; correct one of them"
            )
            yield error(f"{place}.required_kw", words, contract.id, value=contract.required_kw, limit=contract.most_kw)


def _asset_figures(site: Site) -> Iterable[Finding]:
    for asset in site.assets:
        place = f"assets[{asset.id}]"
        if isinstance(asset, Chp):
            yield from _part_load_map(place, asset)
        if isinstance(asset, ExtractionChp):
            yield from _region(place, asset)
        if isinstance(asset, Engine):
            yield from _warm_starts(place, asset)
        if isinstance(asset, ElectricChiller):
            if abs(sum(asset.part_load) - 1.0) > 1e-3:
                yield error(
                    f"{place}.part_load", f"sums to {sum(asset.part_load):.4f}; at full load the curve is 1", asset.id
                )
            if min(asset.part_load) < 0:
                yield error(
                    f"{place}.part_load", "has a negative coefficient; the draw must not fall with load", asset.id
                )
        if isinstance(asset, Store) and asset.stored_min_share >= asset.stored_max_share:
            yield error(
                f"{place}.stored_min_share", "is not below stored_max_share; the store could hold nothing", asset.id
            )
        if isinstance(asset, EvFleet):
            yield from _ev_groups(place, asset)


def _part_load_map(place: str, asset: Chp) -> Iterable[Finding]:
    table = asset.part_load
    lengths = {len(table.power_kw), len(table.fuel_kw), len(table.heat_kw)}
    if len(lengths) > 1:
        yield error(f"{place}.part_load", "power_kw, fuel_kw and heat_kw need the same number of points", asset.id)
        return
    if any(b <= a for a, b in zip(table.power_kw, table.power_kw[1:], strict=False)):
        yield error(f"{place}.part_load.power_kw", "must rise from the lowest load to the highest", asset.id)
    for power, fuel, heat in zip(table.power_kw, table.fuel_kw, table.heat_kw, strict=True):
        if power + heat > fuel:
            words = f"at {power:g} kW the engine gives {power + heat:g} kW from {fuel:g} kW of fuel; check the units"
            yield error(f"{place}.part_load", words, asset.id, value=power + heat, limit=fuel)


def _region(place: str, asset: ExtractionChp) -> Iterable[Finding]:
    region = asset.region
    if len(region.power_kw) != len(region.heat_kw):
        yield error(f"{place}.region", "power_kw and heat_kw need the same number of corners", asset.id)
        return
    if not region.is_convex():
        yield error(
            f"{place}.region", "its corners, in this order, do not go round a convex region; reorder them", asset.id
        )
    points = asset.operating_points()
    for power, fuel, heat in zip(points.power_kw, points.fuel_kw, points.heat_kw, strict=True):
        if power + heat > fuel:
            words = f"at {power:g} kW with {heat:g} kW of heat it gives more than its {fuel:g} kW of fuel; check the figures"
            yield error(f"{place}.region", words, asset.id, value=power + heat, limit=fuel)


def _warm_starts(place: str, asset: Engine) -> Iterable[Finding]:
    hours = [w.off_below_h for w in asset.warm_starts]
    costs = [*(w.cost for w in asset.warm_starts), asset.start_cost]
    if hours != sorted(set(hours)):
        yield error(f"{place}.warm_starts", "off_below_h must rise from the hottest start on", asset.id)
    if costs != sorted(costs):
        yield error(f"{place}.warm_starts", "a colder start must not be cheaper; start_cost is the coldest", asset.id)


def _ev_groups(place: str, asset: EvFleet) -> Iterable[Finding]:
    if asset.v2g_kwh and len(asset.groups) > 1:
        words = "groups of one fleet share what they need; give each group that feeds back a fleet of its own"
        yield error(f"{place}.v2g_kwh", words, asset.id)
    for index, group in enumerate(asset.groups):
        stay_h = (group.depart_h - group.arrive_h) % 24 or 24.0
        most = stay_h * asset.charger_kw * asset.efficiency
        if group.energy_kwh > most:
            words = f"needs {group.energy_kwh:g} kWh by departure, but {stay_h:g} h at {asset.charger_kw:g} kW give at most {most:.1f} kWh"
            yield error(f"{place}.groups[{index}].energy_kwh", words, asset.id, value=group.energy_kwh, limit=most)


def _series_units(site: Site) -> Iterable[Finding]:
    for asset in site.assets:
        if isinstance(asset, Pv | Wind):
            yield from _unit(f"assets[{asset.id}].profile", asset, asset.profile, "_pu")
        if isinstance(asset, HeatPump):
            yield from _unit(f"assets[{asset.id}].air_profile", asset, asset.air_profile, "_degc")
        if isinstance(asset, FlexibleLoad):
            yield from _unit(f"assets[{asset.id}].profile", asset, asset.profile, "_kw")
        if isinstance(asset, Consumer):
            for demand in asset.demands:
                unit = "_m3_per_h" if demand.carrier is Carrier.WATER else "_kw"
                yield from _unit(f"assets[{asset.id}].demands[{demand.carrier}].profile", asset, demand.profile, unit)
    if site.series() and site.profiles is None:
        yield error("profiles", f"assets read {len(site.series())} series and the site names no profile file")


def _unit(place: str, asset: Asset, series: str, unit: str) -> Iterable[Finding]:
    if not series.endswith(unit):
        yield error(place, f"{series} does not end in {unit}; this place needs a series in that unit", asset.id, series)


def _supply(site: Site) -> Iterable[Finding]:
    """Every carrier that is drawn needs at least one asset that can feed it."""
    drawn = {d.carrier: a.id for a in site.of_kind(Consumer) for d in a.demands}
    for carrier, consumer in drawn.items():
        feeders = [
            a
            for a in site.assets
            if carrier in a.ports() and not isinstance(a, Consumer | EvFleet | FlexibleLoad | Store)
        ]
        if carrier in ENERGY_CARRIERS and not feeders:
            yield error(f"assets[{consumer}]", f"draws {carrier}, and nothing on the site can feed {carrier}", consumer)


def _customers(site: Site) -> Iterable[Finding]:
    consumers = {a.id for a in site.of_kind(Consumer)}
    for customer in site.customers:
        if customer.consumer not in consumers:
            yield error(
                f"customers[{customer.id}].consumer", f"there is no consumer asset {customer.consumer}", customer.id
            )


def _devices(site: Site) -> Iterable[Finding]:
    ids = {a.id for a in site.assets}
    for device in site.devices:
        if device.asset not in ids:
            yield error(f"devices[{device.id}].asset", f"there is no asset {device.asset}", device.id)
    served = Counter(d.asset for d in site.devices)
    for name, count in served.items():
        if count > 1:
            yield error(f"devices[{name}]", f"{count} devices serve asset {name}; one asset has one device", name)
    places = Counter((d.host, d.port, d.unit_id) for d in site.devices if d.port)
    for (host, port, unit), count in places.items():
        if count > 1:
            yield error("devices", f"{count} devices answer at {host}:{port} unit {unit}; give each its own")
    for asset in site.assets:
        if asset.id not in served and site.devices and not isinstance(asset, Meter):
            yield warning(f"assets[{asset.id}]", "no device measures it; its state will be estimated", asset.id)


def _tariffs(site: Site) -> Iterable[Finding]:
    for contract in (c for c in site.contracts if isinstance(c, ElectricityContract)):
        place, tariff = f"contracts[{contract.id}].tariff", contract.tariff
        if bare := tariff.uncovered():
            words = f"no price band holds at {', '.join(bare[:3])} and {max(len(bare) - 3, 0)} more quarter-hours of the year"
            yield error(f"{place}.bands", words, contract.id)
        if tariff.net_metering and tariff.blocks:
            yield error(
                f"{place}.net_metering", "blocks of energy and netting contradict each other; keep one", contract.id
            )
        for name, count in Counter(w.name for w in tariff.peak_windows).items():
            if count > 1 or name in ("energy", "export", "demand", "standing"):
                yield error(
                    f"{place}.peak_windows", f"{name} names another part of the tariff too; rename it", contract.id
                )
        limits = [b.up_to_kwh for b in tariff.blocks]
        if limits and (limits[-1] is not None or None in limits[:-1] or limits[:-1] != sorted(set(limits[:-1]))):  # type: ignore[type-var] # None stands before only as a finding
            yield error(
                f"{place}.blocks", "up_to_kwh must rise from block to block, and only the last has none", contract.id
            )


def _networks(site: Site) -> Iterable[Finding]:
    """Every problem of every network, at its place in the file."""
    from models.networks.check import check_network  # brings the compilers of all carriers with it

    for carrier, network in site.networks:
        if isinstance(network, PipeNetwork) and network.carrier != carrier:
            place = f"networks.{carrier}[{network.id}].carrier"
            yield error(place, f"is {network.carrier} in the list of {carrier}; move it or correct it", network.id)
        for finding in check_network(network):
            inside = finding.place.removeprefix(network.id)
            yield replace(finding, place=f"networks.{carrier}[{network.id}]{inside}")
