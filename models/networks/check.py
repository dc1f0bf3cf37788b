"""Everything that is wrong with the data of a network, found before anything is computed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from models.findings import Finding, error, errors_in, warning
from models.networks.data import ElectricNetwork, GasNetwork, Pipe, PipeNetwork
from models.networks.electricity.compile import compile_grid
from models.networks.electricity.topology import fuse_buses
from models.networks.fluids import GRAVITY_M_PER_S2, density_kg_per_m3, freezing_degc
from models.networks.gas_model import compile_gas
from models.networks.pipes import compile_pipes

Network = ElectricNetwork | PipeNetwork | GasNetwork


def check_network(network: Network) -> tuple[Finding, ...]:
    """Return every problem of a network; places are ``<network>.<element>``.

    Errors are references that lead nowhere, ids used twice, measures no part can have, pressures or voltages that
    contradict each other, and water below freezing. Parts that nothing joins to the source are warnings: they may be
    switched off on purpose.
    """
    found = list(_references(network))
    if not errors_in(found):
        found += _contradictions(network)
    if not errors_in(found):
        found += _islands(network)
    return tuple(found)


def _contradictions(network: Network) -> Iterator[Finding]:
    if isinstance(network, ElectricNetwork):
        return _check_grid(network)
    if isinstance(network, PipeNetwork):
        return _check_pipe_network(network)
    return _check_gas_network(network)


def _islands(network: Network) -> Iterator[Finding]:
    if isinstance(network, ElectricNetwork):
        parts, source = compile_grid(network).unsupplied, "the slack bus"
    elif isinstance(network, PipeNetwork):
        parts, source = compile_pipes(network).graph.islands, "the plant"
    else:
        parts, source = compile_gas(network).graph.islands, "the source"
    if parts:
        some = ", ".join(parts[:5]) + (f" and {len(parts) - 5} more" if len(parts) > 5 else "")
        message = f"nothing joins {some} to {source}; they have no reference and stay without a result"
        yield warning(network.id, message, *parts)


def _references(network: Network) -> Iterator[Finding]:
    groups = _ids(network)
    for kind, ids in groups.items():
        for twice, times in Counter(ids).items():
            if times > 1:
                yield error(f"{network.id}.{twice}", f"{times} {kind} share this id; give each its own", twice)
    known = {i for kind, ids in groups.items() if kind != "switches" for i in ids}
    for owner, ends in _ends(network):
        for end in ends:
            if end not in known:
                yield error(
                    f"{network.id}.{owner}",
                    f"names {end!r}, which the network does not have; add it or correct it",
                    end,
                )


def _ids(network: Network) -> Mapping[str, list[str]]:
    if isinstance(network, ElectricNetwork):
        branches = [*(line.id for line in network.lines), *(t.id for t in network.transformers)]
        return {
            "buses": [b.id for b in network.buses],
            "branches": branches,
            "switches": [s.id for s in network.switches],
        }
    edges = [p.id for p in network.pipes]
    if isinstance(network, PipeNetwork):
        edges += [p.id for p in network.pumps] + [r.id for r in network.regulators]
    else:
        edges += [c.id for c in network.compressors]
    return {"junctions": [j.id for j in network.junctions], "pipes": edges}


def _ends(network: Network) -> Iterator[tuple[str, Iterable[str]]]:
    if isinstance(network, ElectricNetwork):
        yield "slack_bus", (network.slack_bus,)
        yield from ((line.id, (line.from_bus, line.to_bus)) for line in network.lines)
        yield from ((t.id, (t.hv_bus, t.lv_bus)) for t in network.transformers)
        yield from ((s.id, (s.bus, s.element)) for s in network.switches)
        yield from ((s.id, (s.bus,)) for s in network.shunts)
        yield from ((c.id, (c.bus,)) for c in network.voltage_controls)
        return
    yield from ((p.id, (p.from_junction, p.to_junction)) for p in network.pipes)
    yield "consumers", network.consumers
    yield "further_sources", [s.junction for s in network.further_sources]
    if isinstance(network, PipeNetwork):
        yield "plant_junction", (network.plant_junction,)
        yield "feed_in_junctions", network.feed_in_junctions
        yield from ((p.id, (p.from_junction, p.to_junction)) for p in network.pumps)
        yield from ((r.id, (r.from_junction, r.to_junction)) for r in network.regulators)
    else:
        yield "source_junction", (network.source_junction,)
        yield from ((c.id, (c.from_junction, c.to_junction)) for c in network.compressors)


def _check_grid(network: ElectricNetwork) -> Iterator[Finding]:
    vn_kv = {b.id: b.vn_kv for b in network.buses}
    for bus in network.buses:
        if bus.vm_min_pu >= bus.vm_max_pu:
            place, low, high = f"{network.id}.{bus.id}", bus.vm_min_pu, bus.vm_max_pu
            yield error(place, f"the lowest voltage {low} pu is not below the highest {high} pu; correct one", bus.id)
    for line in network.lines:
        if vn_kv[line.from_bus] != vn_kv[line.to_bus]:
            yield error(
                f"{network.id}.{line.id}",
                f"joins {vn_kv[line.from_bus]:g} kV to {vn_kv[line.to_bus]:g} kV; that takes a transformer",
                line.id,
            )
        if line.r_ohm_per_km == 0 and line.x_ohm_per_km == 0:
            yield error(f"{network.id}.{line.id}", "has no impedance; use a bus switch or give r and x", line.id)
    for t in network.transformers:
        if t.vkr_percent > t.vk_percent:
            place = f"{network.id}.{t.id}"
            yield error(place, f"vkr {t.vkr_percent} % is more than vk {t.vk_percent} %; they may be swapped", t.id)
    yield from _switches(network, vn_kv)


def _switches(network: ElectricNetwork, vn_kv: Mapping[str, float]) -> Iterator[Finding]:
    ends = {("line", line.id): (line.from_bus, line.to_bus) for line in network.lines}
    ends |= {("transformer", t.id): (t.hv_bus, t.lv_bus) for t in network.transformers}
    for s in network.switches:
        place = f"{network.id}.{s.id}"
        if s.kind == "bus":
            if vn_kv.get(s.element) != vn_kv[s.bus]:
                yield error(place, f"joins {s.bus} and {s.element}, which are not buses of one voltage", s.id)
        elif s.bus not in ends.get((s.kind, s.element), ()):
            yield error(place, f"sits at {s.bus}, where the {s.kind} {s.element} does not end", s.id)
    node = fuse_buses(network)
    held = {node[network.slack_bus]: (network.slack_bus, network.slack_vm_pu)}
    for control in network.voltage_controls:
        bus, vm_pu = held.setdefault(node[control.bus], (control.bus, control.vm_pu))
        if vm_pu != control.vm_pu:
            yield error(
                f"{network.id}.{control.id}",
                f"holds {control.vm_pu} pu where {bus} is held at {vm_pu} pu; one of them has to give way",
                control.id,
                bus,
            )


def _check_pipe_network(network: PipeNetwork) -> Iterator[Finding]:
    yield from _pipes(network.id, network.pipes)
    freezing = freezing_degc(network.glycol_share)
    for name, degc in (("supply_degc", network.supply_degc), ("return_degc", network.return_degc)):
        if degc <= freezing:
            message = f"{degc:g} degC is at or below freezing ({freezing:.1f} degC); warm it or add glycol"
            yield error(f"{network.id}.{name}", message, network.id, value=degc, limit=freezing)
    warmer = {"heat": network.supply_degc > network.return_degc, "cold": network.supply_degc < network.return_degc}
    if not warmer.get(network.carrier, True):
        side = "above" if network.carrier == "heat" else "below"
        supply, back = network.supply_degc, network.return_degc
        yield error(
            f"{network.id}.supply_degc", f"{supply:g} degC has to lie {side} the return's {back:g} degC", network.id
        )
    if network.carrier != "water" and network.dp_min_kpa > network.pump_lift_kpa:
        message = (
            f"consumers need {network.dp_min_kpa:g} kPa, the pump lifts {network.pump_lift_kpa:g} kPa; raise the pump"
        )
        yield error(f"{network.id}.dp_min_kpa", message, network.id)
    yield from _dry_heights(network)
    if network.carrier == "water":
        at_plant = network.plant_junction, network.return_pressure_kpa + network.pump_lift_kpa
        yield from _contradictory_sources(network, *at_plant)
    elif network.regulators or network.further_sources:
        message = "regulators and further sources belong to water networks; hold pressures with pumps"
        yield error(f"{network.id}.regulators", message, network.id)


def _dry_heights(network: PipeNetwork) -> Iterator[Finding]:
    """Yield junctions so high above the plant that the return would stand below vacuum."""
    height = {j.id: j.height_m for j in network.junctions}
    density = density_kg_per_m3(network.return_degc, network.glycol_share)
    reach = network.return_pressure_kpa * 1e3 / (density * GRAVITY_M_PER_S2)
    for junction, metres in height.items():
        above = metres - height[network.plant_junction]
        if above > reach:
            yield error(
                f"{network.id}.{junction}",
                f"lies {above:.0f} m above the plant; {network.return_pressure_kpa:g} kPa there reach {reach:.0f} m. "
                "Raise return_pressure_kpa",
                junction,
            )


def _check_gas_network(network: GasNetwork) -> Iterator[Finding]:
    yield from _pipes(network.id, network.pipes)
    if network.source_pressure_kpa < network.pressure_min_kpa:
        yield error(
            f"{network.id}.source_pressure_kpa",
            f"{network.source_pressure_kpa:g} kPa at the source cannot keep {network.pressure_min_kpa:g} kPa anywhere",
            network.source_junction,
        )
    yield from _contradictory_sources(network, network.source_junction, network.source_pressure_kpa)


def _contradictory_sources(network: GasNetwork | PipeNetwork, main_source: str, main_kpa: float) -> Iterator[Finding]:
    """Yield sources of different pressure that pipes without resistance join."""
    root = {j.id: j.id for j in network.junctions}

    def find(junction: str) -> str:
        while root[junction] != junction:
            junction = root[junction]
        return junction

    for pipe in network.pipes:
        if pipe.open and pipe.length_m == 0 and pipe.loss_coefficient == 0:
            root[find(pipe.from_junction)] = find(pipe.to_junction)
    held = {find(main_source): (main_source, main_kpa)}
    for source in network.further_sources:
        other, kpa = held.setdefault(find(source.junction), (source.junction, source.pressure_kpa))
        if kpa != source.pressure_kpa:
            yield error(
                f"{network.id}.{source.junction}",
                f"is held at {source.pressure_kpa:g} kPa, and {other}, joined without resistance, at {kpa:g} kPa; "
                "give the pipe a length or the sources one pressure",
                source.junction,
                other,
            )


def _pipes(network: str, pipes: Iterable[Pipe]) -> Iterator[Finding]:
    for p in pipes:
        place = f"{network}.{p.id}"
        if not p.inner_diameter_mm > 0:
            yield error(place, f"has an inner diameter of {p.inner_diameter_mm:g} mm; it has to be above zero", p.id)
        elif p.roughness_mm >= p.inner_diameter_mm / 2:
            message = f"roughness {p.roughness_mm:g} mm fills the pipe of {p.inner_diameter_mm:g} mm; check the units"
            yield error(place, message, p.id)
        if p.length_m < 0:
            yield error(place, f"has a length of {p.length_m:g} m; it has to be at least zero", p.id)
        if p.from_junction == p.to_junction:
            yield error(place, f"begins and ends at {p.from_junction}", p.id)
