"""A register map on its place: bound to the asset that the device serves, and checked against it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import inf

from hil.certificates import check_tls
from hil.maps.load import load_map, read_map
from hil.maps.types import RegisterMap
from models.carriers import Carrier
from models.components import AnyAsset, Consumer, Meter, Store
from models.findings import Finding, error
from models.limits import setpoint_range_kw
from models.site import Device, Site


def bind(site: Site, device: Device) -> RegisterMap:
    """Return the map of one device of the site: shares of rated power turned into kW, points of absent carriers left out.

    Raises
    ------
    MapError
        If the map does not exist or has errors.
    """
    asset = site.asset(device.asset)
    found = load_map(device.map, site.folder).for_rating(rated_kw(asset))
    if not isinstance(asset, Consumer | Meter):
        return found
    absent = {c.value for c in Carrier} - {c.value for c in carriers_of(asset)}
    return replace(found, points=tuple(p for p in found.points if p.quantity.split("_")[0] not in absent))


def carriers_of(asset: AnyAsset) -> tuple[Carrier, ...]:
    """Return the carriers that a device on this asset measures."""
    return (asset.carrier,) if isinstance(asset, Meter) else tuple(asset.ports())


def rated_kw(asset: AnyAsset) -> float:
    """Return the power that a device's percent values refer to; 1 kW for assets without a rating."""
    limits = setpoint_range_kw(asset)
    finite = [abs(x) for x in limits or () if 0 < abs(x) < inf]
    return finite[-1] if finite else 1.0


def needed_quantities(asset: AnyAsset) -> Iterator[tuple[str, ...]]:
    """Yield, for everything that the loop has to know of an asset, the quantities of which one is enough."""
    for carrier in carriers_of(asset):
        yield ("water_m3_per_h",) if carrier is Carrier.WATER else (f"{carrier.value}_kw",)
    if isinstance(asset, Store):
        yield "stored_kwh", "stored_share"
    if setpoint_range_kw(asset) is not None:
        yield ("setpoint_kw",)


def check_devices(site: Site) -> tuple[Finding, ...]:
    """Return everything that keeps the site's devices from being read and commanded; every problem is found at once."""
    findings = [f for device in site.devices for f in _check_device(site, device)]
    return (*findings, *_shared_addresses(site))


def _check_device(site: Site, device: Device) -> Iterator[Finding]:
    place = f"devices[{device.id}]"
    yield from check_tls(device, site.folder)
    found, findings = read_map(device.map, site.folder)
    yield from (replace(f, place=f"{place}.map: {f.place}") for f in findings)
    if found is None:
        return
    try:
        asset = site.asset(device.asset)
    except KeyError:
        yield error(f"{place}.asset", f"there is no asset {device.asset}", device.id)
        return
    if asset.kind not in found.kinds:
        text = f"{device.map} describes {', '.join(found.kinds)}, but {asset.id} is of kind {asset.kind}"
        yield error(f"{place}.map", text, device.id, asset.id)
        return
    for names in needed_quantities(asset):
        if all(found.find(name) is None for name in names):
            yield error(
                f"{place}.map", f"{device.map} has no {' or '.join(names)}, which {asset.id} needs", device.id, asset.id
            )
    setpoint = found.find("setpoint_kw")
    if setpoint is not None and setpoint_range_kw(asset) is not None and not setpoint.access.writable:
        yield error(f"{place}.map", f"setpoint_kw of {device.map} cannot be written, which {asset.id} needs", device.id)


def _shared_addresses(site: Site) -> Iterator[Finding]:
    placed = [d for d in site.devices if d.port]
    seen = Counter((d.host, d.port, d.unit_id) for d in placed)
    for (host, port, unit), count in seen.items():
        if count > 1:
            names = [d.id for d in placed if (d.host, d.port, d.unit_id) == (host, port, unit)]
            yield error(
                "devices", f"{', '.join(names)} all answer at {host}:{port} unit {unit}; each needs its own", *names
            )
    for host, port in {(d.host, d.port) for d in placed}:
        framers = {d.framer for d in placed if (d.host, d.port) == (host, port)}
        if len(framers) > 1:
            yield error("devices", f"{host}:{port} cannot speak both {' and '.join(sorted(framers))}; use one framer")
        if len({d.tls for d in placed if (d.host, d.port) == (host, port)}) > 1:
            yield error("devices", f"{host}:{port} has one TLS for all of its units; give each the same tls, or none")
