"""Fault plans: a YAML file that says between whom the proxy stands, for how long, and what it does to the frames."""

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import yaml
from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict, TypeAdapter, ValidationError

from hil.faultacts import PlannedAct, check_acts
from hil.faultproxy import Fault, FaultProxy, Kind
from hil.maps.load import findings_of
from models.errors import DataError
from models.findings import Finding, error, errors_in, warning

Port = Annotated[int, Ge(0), Le(65535)]
LONGEST_S = 86_400.0
DELAYS = (Kind.DELAY_REQUEST, Kind.DELAY_REPLY)
FUNCTIONS = frozenset((1, 2, 3, 4, 5, 6, 15, 16, 22, 23))


class FaultPlanError(DataError):
    """A fault plan has errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One line of a plan; the fields are those of :class:`hil.faultproxy.Fault`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Kind
    start_s: Annotated[float, Ge(0)] = 0.0
    end_s: Annotated[float, Gt(0)] | None = None
    """None: until the plan ends."""
    share: Annotated[float, Gt(0), Le(1)] = 1.0
    delay_s: Annotated[float, Ge(0), Le(3600)] = 0.0
    code: Annotated[int, Ge(1), Le(255)] = 4
    functions: tuple[int, ...] = ()
    most: Annotated[int, Ge(0), Le(65535)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Where a proxy listens, which device is behind it, its faults and what else happens; it ends by itself after ``seconds``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    device: str
    """Host of the device."""
    seconds: Annotated[float, Gt(0), Le(LONGEST_S)]
    faults: tuple[PlannedFault, ...] = ()
    acts: tuple[PlannedAct, ...] = ()
    port: Port = 502
    """Port of the device."""
    listen: str = "127.0.0.1"
    listen_port: Port = 0
    """0 takes a free one."""
    framer: Literal["socket", "rtu"] = "socket"
    seed: Annotated[int, Ge(0)] = 0
    format: Literal["jouletwin-faults/1"] = field(default="jouletwin-faults/1")


ADAPTER = TypeAdapter(FaultPlan)


def parse_plan(
    text: str, name: str, *, beyond_this_machine: bool = False
) -> tuple[FaultPlan | None, tuple[Finding, ...]]:
    """Return the plan that a YAML text describes and everything that is wrong with it; None when its form is wrong.

    Both ends have to be on this machine unless ``beyond_this_machine`` is true: a proxy that bends frames has no business
    between others and their devices by accident.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        return None, (error(name, f"this is not YAML: {problem}"),)
    try:
        plan = ADAPTER.validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as problem:
        return None, findings_of(problem, name, data)
    found = (
        *_places(plan, name, beyond_this_machine),
        *_faults(plan, name),
        *check_acts(plan.acts, name, plan.seconds),
    )
    if not (plan.faults or plan.acts):
        found = (*found, error(name, "it has neither faults nor acts, so nothing would happen"))
    return plan, found


def load_plan(path: Path, *, beyond_this_machine: bool = False) -> tuple[FaultPlan, tuple[Finding, ...]]:
    """Return a plan that can be run, and what is doubtful in it.

    Raises
    ------
    FaultPlanError
        With every problem found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise FaultPlanError([error(str(path), f"cannot be read: {problem.strerror}")]) from None
    plan, findings = parse_plan(text, path.name, beyond_this_machine=beyond_this_machine)
    if plan is None or errors_in(findings):
        raise FaultPlanError(findings)
    return plan, findings


def proxy_of(plan: FaultPlan) -> FaultProxy:
    """Return the proxy that a plan describes, not yet started."""
    faults = [
        Fault(
            f.kind,
            f.start_s,
            plan.seconds if f.end_s is None else f.end_s,
            f.share,
            f.delay_s,
            f.code,
            f.functions,
            f.most or 0,
        )
        for f in plan.faults
    ]
    return FaultProxy(plan.device, plan.port, faults, framer=plan.framer, seed=plan.seed)


def _places(plan: FaultPlan, name: str, beyond_this_machine: bool) -> Iterator[Finding]:
    if not beyond_this_machine:
        for which, host in (("device", plan.device), ("listen", plan.listen)):
            if not _is_here(host):
                words = f"{host} is not this machine; use 127.0.0.1, or allow other hosts with --beyond-this-machine"
                yield error(f"{name}.{which}", words)
    if plan.port == 0:
        yield error(f"{name}.port", "a device has a port from 1 to 65535")
    if (plan.device, plan.port) == (plan.listen, plan.listen_port):
        yield error(f"{name}.listen_port", f"the device itself answers at {plan.port}; let the proxy listen elsewhere")


def _faults(plan: FaultPlan, name: str) -> Iterator[Finding]:
    for index, fault in enumerate(plan.faults):
        at = f"{name}.faults[{index}] {fault.kind.value}"
        if fault.end_s is not None and fault.end_s <= fault.start_s:
            yield error(f"{at}.end_s", f"it ends at {fault.end_s:g} s, before it starts at {fault.start_s:g} s")
        if fault.start_s >= plan.seconds:
            yield error(f"{at}.start_s", f"it starts at {fault.start_s:g} s, the plan ends at {plan.seconds:g} s")
        if fault.kind in DELAYS and fault.delay_s == 0.0:
            yield error(f"{at}.delay_s", "a delay of 0 s changes nothing; say how late the frame is")
        if fault.kind not in DELAYS and fault.delay_s > 0.0:
            yield warning(f"{at}.delay_s", f"only {' and '.join(DELAYS)} use a delay")
        if (fault.kind is Kind.CLAMP) is (fault.most is None):
            words = (
                "say the highest register value that the device takes" if fault.most is None else "only clamp uses it"
            )
            yield error(f"{at}.most", words)
        strangers = sorted(set(fault.functions) - FUNCTIONS)
        if strangers:
            yield error(f"{at}.functions", f"{', '.join(map(str, strangers))}: no Modbus function that carries data")
        if fault.functions and fault.kind is Kind.REFUSE:
            yield warning(f"{at}.functions", "a refused connection carries no function, so this limits nothing")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
