"""What a grid's switches leave connected: fused buses, branch ends, islands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.networks.data import ElectricNetwork, Line, Transformer
from models.networks.electricity.branches import TwoPort, line_admittance, transformer_admittance


@dataclass(frozen=True, slots=True)
class Branch:
    """A line or transformer between two electrical nodes; ``admittance`` is zero when it is out of service."""

    id: str
    from_node: int
    to_node: int
    admittance: TwoPort
    from_limit_ka: float
    to_limit_ka: float
    from_vn_kv: float
    to_vn_kv: float


OUT = TwoPort(0j, 0j, 0j, 0j)


def fuse_buses(network: ElectricNetwork) -> dict[str, int]:
    """Return the electrical node of every bus; buses joined by closed bus switches share one."""
    root = {bus.id: bus.id for bus in network.buses}

    def find(bus: str) -> str:
        while root[bus] != bus:
            root[bus] = bus = root[root[bus]]
        return bus

    for switch in network.switches:
        if switch.kind == "bus" and switch.closed:
            root[find(switch.element)] = find(switch.bus)
    number: dict[str, int] = {}
    return {bus.id: number.setdefault(find(bus.id), len(number)) for bus in network.buses}


def branches_of(network: ElectricNetwork, node: Mapping[str, int]) -> list[Branch]:
    """Return all lines, then all transformers, with open ends and out-of-service parts worked in."""
    vn_kv = {bus.id: bus.vn_kv for bus in network.buses}
    open_ends: set[tuple[str, str, str]] = {(s.kind, s.element, s.bus) for s in network.switches if not s.closed}
    return [
        *(_line_branch(line, network.frequency_hz, vn_kv, node, open_ends) for line in network.lines),
        *(_transformer_branch(t, vn_kv, node, open_ends) for t in network.transformers),
    ]


def _line_branch(
    line: Line,
    frequency_hz: float,
    vn_kv: Mapping[str, float],
    node: Mapping[str, int],
    open_ends: set[tuple[str, str, str]],
) -> Branch:
    ends = ("line", line.id, line.from_bus) in open_ends, ("line", line.id, line.to_bus) in open_ends
    admittance = line_admittance(line, vn_kv[line.from_bus], frequency_hz)
    limit_ka = line.current_max_ka * line.parallel
    return Branch(
        id=line.id,
        from_node=node[line.from_bus],
        to_node=node[line.to_bus],
        admittance=_switched(admittance, ends, in_service=line.in_service),
        from_limit_ka=limit_ka,
        to_limit_ka=limit_ka,
        from_vn_kv=vn_kv[line.from_bus],
        to_vn_kv=vn_kv[line.to_bus],
    )


def _transformer_branch(
    t: Transformer, vn_kv: Mapping[str, float], node: Mapping[str, int], open_ends: set[tuple[str, str, str]]
) -> Branch:
    ends = ("transformer", t.id, t.hv_bus) in open_ends, ("transformer", t.id, t.lv_bus) in open_ends
    admittance = transformer_admittance(t, vn_kv[t.hv_bus], vn_kv[t.lv_bus])
    rated_ka_kv = t.rated_mva * t.parallel / 3**0.5
    return Branch(
        id=t.id,
        from_node=node[t.hv_bus],
        to_node=node[t.lv_bus],
        admittance=_switched(admittance, ends, in_service=t.in_service),
        from_limit_ka=rated_ka_kv / t.vn_hv_kv,
        to_limit_ka=rated_ka_kv / t.vn_lv_kv,
        from_vn_kv=vn_kv[t.hv_bus],
        to_vn_kv=vn_kv[t.lv_bus],
    )


def _switched(admittance: TwoPort, ends_open: tuple[bool, bool], *, in_service: bool) -> TwoPort:
    if not in_service or all(ends_open):
        return OUT
    if any(ends_open):
        return admittance.seen_from_open_end(from_open=ends_open[0])
    return admittance


def reached(node_count: int, branches: Iterable[Branch], start: int) -> list[bool]:
    """Return which nodes a current can reach from ``start``."""
    near: list[list[int]] = [[] for _ in range(node_count)]
    for branch in branches:
        if branch.admittance.ft != 0:
            near[branch.from_node].append(branch.to_node)
            near[branch.to_node].append(branch.from_node)
    seen = [False] * node_count
    seen[start] = True
    waiting = [start]
    while waiting:
        for other in near[waiting.pop()]:
            if not seen[other]:
                seen[other] = True
                waiting.append(other)
    return seen
