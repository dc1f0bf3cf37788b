"""What a network's state over time breaks: voltages, loadings, temperatures, pressures, velocities, steps without a solution."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.findings import Finding, Severity
from models.networks.data import ElectricNetwork, GasNetwork, PipeNetwork
from models.networks.status import Status
from models.told import Told, told
from twin.networks import FloatArray
from twin.words import Speaker, Worst, worst_above, worst_below

VOLTAGE_SLACK_PU = 1e-4
LOADING_SLACK = 1e-3
PRESSURE_SLACK_KPA = 0.1
ATMOSPHERE_KPA = 101.325
SPREAD_LEFT_SHARE = 1.0 / 3.0
"""Water that keeps less of the spread between supply and return than this serves its consumer badly."""
SPREAD_MIN_SHARE = 0.15
"""With less of the spread left nothing can be drawn from the water; the kernels call such a step bound."""
TRICKLE_SHARE = 0.05
"""Consumers who ask for less than this share of a network's heat do not make a plan fail."""
STILL_KG_PER_S = 1e-6
Places = npt.NDArray[np.object_]


def judge_network(
    network: ElectricNetwork | PipeNetwork | GasNetwork, state: xr.Dataset, speaker: Speaker
) -> Iterator[Finding]:
    """Yield everything that a network's state over time breaks."""
    status = state["status"].to_numpy()
    worst = state["worst_junction"].to_numpy() if "worst_junction" in state else np.full(len(status), "")
    match network:
        case ElectricNetwork():
            yield from _no_solution(network.id, status, worst, speaker)
            yield from judge_grid(network, state, speaker)
        case PipeNetwork(carrier="water"):
            yield from _no_solution(network.id, status, worst, speaker)
            yield from judge_water(network, state, speaker)
        case PipeNetwork():
            yield from _no_solution(network.id, *_starved(network, state, status, worst), speaker)
            yield from judge_pipes(network, state, speaker)
        case GasNetwork():
            yield from _no_solution(network.id, status, worst, speaker)
            yield from judge_gas(network, state, speaker)


def _starved(
    network: PipeNetwork, state: xr.Dataset, status: npt.NDArray[np.int8], worst: Places
) -> tuple[npt.NDArray[np.int8], Places]:
    """Return status and worst place with trickles forgiven: next to nothing asked through a long pipe arrives cold, and harms nobody.

    A step stays ``BOUND`` where pressure is used up, or where water that is no use reaches consumers who ask for a share that counts.
    """
    if not network.consumers:
        return status, worst
    consumers = list(network.consumers)
    at = state.sel(junction=consumers)
    spread = network.supply_degc - network.return_degc
    left = np.nan_to_num((at["supply_degc"].transpose("junction", "time").to_numpy() - network.return_degc) / spread)
    flow = np.nan_to_num(state["consumer_flow_kg_per_s"].transpose("consumer", "time").to_numpy())
    asked = flow * np.clip(left, SPREAD_MIN_SHARE, None)
    cold = (left < SPREAD_MIN_SHARE) & (flow > STILL_KG_PER_S)
    share = np.divide((asked * cold).sum(axis=0), asked.sum(axis=0), out=np.zeros(len(status)), where=flow.any(axis=0))
    dry = (np.nan_to_num(at["dp_kpa"].transpose("junction", "time").to_numpy()) < 0).any(axis=0)
    trickle = (status == Status.BOUND) & ~dry & (share < TRICKLE_SHARE)
    coldest = np.array(consumers, dtype=object)[np.argmax(asked * cold, axis=0)]
    return np.where(trickle, np.int8(Status.OK), status), np.where(dry, worst, coldest)


def _no_solution(network: str, status: npt.NDArray[np.int8], worst: Places, speaker: Speaker) -> Iterator[Finding]:
    words = {
        Status.NOT_CONVERGED: (
            told("no_state", "no state of the network carries the plan"),
            told("take_load_off", "Take load off the network, or check its data."),
        ),
        Status.BOUND: (
            told("cannot_arrive", "what is asked cannot arrive"),
            told("ask_less", "Ask less, or send it warmer, colder or at more pressure."),
        ),
        Status.ISLAND: (
            told("island", "somebody draws or feeds where nothing connects to the source"),
            told("close_switch", "Close a switch or a valve."),
        ),
    }
    for kind, (fact, way_on) in words.items():
        steps = np.flatnonzero(status == kind)
        if len(steps):
            k = int(steps[0])
            place = str(worst[k])
            near = told("near", " at {place}", place=place) if place and kind is Status.BOUND else ""
            facts = {
                "fact": fact,
                "near": near,
                "at": speaker.at(k),
                "often": speaker.often(len(steps)),
                "way_on": way_on,
            }
            message = told("unsolved", "{fact}{near}, from {at} on ({often}). {way_on}", **facts)
            yield Finding(Severity.ERROR, network, message, (network, place) if place else (network,))


def judge_grid(network: ElectricNetwork, state: xr.Dataset, speaker: Speaker) -> Iterator[Finding]:
    """Yield voltages outside the band of their bus, overloaded lines and transformers, and steps without a solution."""
    voltage, loading = _rows(state, "vm_pu", "bus"), _rows(state, "loading_share", "branch")
    for bus in network.buses:
        yield from _voltage(bus.id, voltage[bus.id], (bus.vm_min_pu, bus.vm_max_pu), speaker)
    for branch in (*(x.id for x in network.lines), *(x.id for x in network.transformers)):
        yield from _loading(branch, loading[branch], speaker)


def _voltage(bus: str, vm_pu: FloatArray, band: tuple[float, float], speaker: Speaker) -> Iterator[Finding]:
    def fact(worst: Worst) -> Told:
        pattern = "voltage {pu:.4f} pu, the band is {low:g} to {high:g} pu,"
        return told("voltage", pattern, pu=worst.value, low=band[0], high=band[1])

    high, low = worst_above(vm_pu, band[1], VOLTAGE_SLACK_PU), worst_below(vm_pu, band[0], VOLTAGE_SLACK_PU)
    way_on = told("voltage_high", "Feed in less nearby, charge a store there, or draw reactive power.")
    yield from speaker.finding(Severity.ERROR, bus, high, fact, way_on)
    way_on = told("voltage_low", "Draw less nearby, discharge a store there, or feed reactive power.")
    yield from speaker.finding(Severity.ERROR, bus, low, fact, way_on)


def _loading(branch: str, loading: FloatArray, speaker: Speaker) -> Iterator[Finding]:
    def fact(worst: Worst) -> Told:
        return told("loading", "loaded to {share:.1%} of its thermal limit", share=worst.value)

    way_on = told("move_load", "Move load or generation behind it to other hours or another feeder.")
    yield from speaker.finding(Severity.ERROR, branch, worst_above(loading, 1.0, LOADING_SLACK), fact, way_on)


def judge_pipes(network: PipeNetwork, state: xr.Dataset, speaker: Speaker) -> Iterator[Finding]:
    """Yield consumers with too little pressure difference or lukewarm water, and pipes in which the water is too fast."""
    dp, supply = _rows(state, "dp_kpa", "junction"), _rows(state, "supply_degc", "junction")
    flow = _rows(state, "consumer_flow_kg_per_s", "consumer")
    for consumer in network.consumers:
        serves = flow[consumer] > STILL_KG_PER_S
        yield from _pressure_difference(network, consumer, np.where(serves, dp[consumer], np.nan), speaker)
        yield from _arrival(network, consumer, np.where(serves, supply[consumer], np.nan), speaker)
    yield from _velocity(network.velocity_max_m_per_s, state, speaker)


def _pressure_difference(
    network: PipeNetwork, consumer: str, dp_kpa: FloatArray, speaker: Speaker
) -> Iterator[Finding]:
    def fact(worst: Worst) -> Told:
        pattern = "{kpa:.0f} kPa between supply and return, it needs {least:.0f} kPa,"
        return told("pressure_difference", pattern, kpa=worst.value, least=worst.limit)

    worst = worst_below(dp_kpa, network.dp_min_kpa, PRESSURE_SLACK_KPA)
    way_on = told("lift_pump", "Lift the pump, or spread the demand over more hours.")
    yield from speaker.finding(Severity.ERROR, consumer, worst, fact, way_on, consumer, network.id)


def arrival_degc(network: PipeNetwork) -> float:
    """Return what should arrive at every consumer, degC."""
    return network.return_degc + SPREAD_LEFT_SHARE * (network.supply_degc - network.return_degc)


def _arrival(network: PipeNetwork, consumer: str, supply_degc: FloatArray, speaker: Speaker) -> Iterator[Finding]:
    limit = arrival_degc(network)

    def fact(worst: Worst) -> Told:
        pattern = "water arrives with {degc:.1f} degC where {sent:g} degC leave the plant and {wanted:.1f} degC should arrive,"
        return told("arrival", pattern, degc=worst.value, sent=network.supply_degc, wanted=worst.limit)

    warm = network.carrier != "cold"
    worst = worst_below(supply_degc, limit) if warm else worst_above(supply_degc, limit)
    warmer = told("send_warmer", "Send it warmer, or let more flow through the branch.")
    colder = told("send_colder", "Send it colder, or let more flow through the branch.")
    yield from speaker.finding(
        Severity.WARNING, consumer, worst, fact, warmer if warm else colder, consumer, network.id
    )


def judge_gas(network: GasNetwork, state: xr.Dataset, speaker: Speaker) -> Iterator[Finding]:
    """Yield consumers with too little pressure, and pipes in which the gas is too fast."""
    way_on = told("raise_gate", "Raise the pressure at the gate, or burn less behind the same pipe.")
    yield from _pressure(network, state, network.pressure_min_kpa, way_on, speaker)
    yield from _velocity(network.velocity_max_m_per_s, state, speaker)


def judge_water(network: PipeNetwork, state: xr.Dataset, speaker: Speaker) -> Iterator[Finding]:
    """Yield consumers whose tap has too little pressure over the air's, and pipes in which the water is too fast."""
    way_on = told("raise_source", "Raise the pressure at the source, or spread the demand over more hours.")
    yield from _pressure(network, state, ATMOSPHERE_KPA + network.dp_min_kpa, way_on, speaker)
    yield from _velocity(network.velocity_max_m_per_s, state, speaker)


def _pressure(
    network: GasNetwork | PipeNetwork, state: xr.Dataset, least_kpa: float, way_on: Told, speaker: Speaker
) -> Iterator[Finding]:
    pressure = _rows(state, "pressure_kpa", "junction")
    carrier = "gas" if isinstance(network, GasNetwork) else "water"

    def fact(worst: Worst) -> Told:
        pattern = "{kpa:.0f} kPa of {carrier} pressure, it needs {least:.0f} kPa,"
        return told("pressure", pattern, kpa=worst.value, carrier=told(carrier, carrier), least=worst.limit)

    for consumer in network.consumers:
        worst = worst_below(pressure[consumer], least_kpa, PRESSURE_SLACK_KPA)
        yield from speaker.finding(Severity.ERROR, consumer, worst, fact, way_on, consumer, network.id)


def _velocity(limit_m_per_s: float, state: xr.Dataset, speaker: Speaker) -> Iterator[Finding]:
    def fact(worst: Worst) -> Told:
        pattern = "flows at {speed:.1f} m/s, the pipe is made for {most:g} m/s,"
        return told("velocity", pattern, speed=worst.value, most=worst.limit)

    for pipe, velocity in _rows(state, "velocity_m_per_s", "pipe").items():
        worst = worst_above(np.abs(velocity), limit_m_per_s, 1e-3)
        yield from speaker.finding(
            Severity.WARNING, pipe, worst, fact, told("spread_demand", "Spread the demand over more hours.")
        )


def _rows(state: xr.Dataset, name: str, dim: str) -> dict[str, FloatArray]:
    """Return one variable as an array over time per element."""
    values: npt.NDArray[np.float64] = state[name].transpose(dim, "time").to_numpy()
    return dict(zip((str(i) for i in state[dim].to_numpy()), values, strict=True))
