"""What operations answers: plans, checks and receipts."""

from datetime import datetime

import numpy as np
import xarray as xr
from pydantic import BaseModel, Field

from hil.bridge import Mode
from models.findings import Finding, Severity
from models.ports import Command, Outcome, Receipt
from service.api.fields import Number, Share
from service.memory import MadePlan


class FindingOut(BaseModel):
    """One thing worth knowing about a plan."""

    severity: Severity
    place: str
    message: str
    value: Number
    limit: Number

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        """Return a finding as the interface shows it."""
        return cls.model_validate(finding, from_attributes=True)


class SolverOut(BaseModel):
    """How a plan was found."""

    status: str
    objective: Number
    bound: Number
    gap_share: Share
    build_s: Number
    solve_s: Number
    certified: bool
    message: str


class PlanSummary(BaseModel):
    """A plan in short."""

    id: str
    made_at: datetime
    start: datetime
    end: datetime
    steps: int
    source: str
    total_cost: Number
    cost: dict[str, Number] = Field(description="parts in the site's currency")
    peak_cap_kw: Number
    solver: SolverOut
    check_ok: bool | None = Field(description="what the twin says; null before it has judged")
    findings: list[FindingOut]

    @classmethod
    def of(cls, made: MadePlan) -> "PlanSummary":
        """Return a plan in short."""
        return cls.model_validate(summary_of(made))


class PlanOut(PlanSummary):
    """A plan with its arrays, one value per step."""

    times: list[datetime] = Field(description="start of every step, UTC")
    step_h: list[float]
    power_kw: dict[str, dict[str, list[Number]]] = Field(description="by asset and carrier, positive when it feeds")
    stored_kwh: dict[str, list[Number]] = Field(description="by asset, at the end of each step")
    running: dict[str, list[bool]] = Field(description="by unit with commitment")
    unserved_kw: dict[str, dict[str, list[Number]]] = Field(
        description="demand that the plan cannot meet, where there is any"
    )
    price_per_kwh: dict[str, list[Number]] = Field(description="marginal cost by carrier")
    reserve_kw: dict[str, dict[str, list[Number]]] = Field({}, description="held ready, by contract and asset")
    supply_degc: dict[str, list[Number]] = Field(
        {}, description="sent out by heat networks' plants, where it is planned"
    )

    @classmethod
    def of(cls, made: MadePlan) -> "PlanOut":
        """Return a plan with its arrays."""
        plan = made.plan
        power = by_two(plan.power_kw.transpose("asset", "carrier", "time"))
        unserved = by_two(plan.unserved_kw.transpose("asset", "carrier", "time"))
        arrays = {
            "times": list(plan.horizon.edges[:-1]),
            "step_h": plan.horizon.step_h.tolist(),
            "power_kw": power,
            "unserved_kw": unserved,
            "stored_kwh": by_one(plan.stored_kwh.transpose("asset", "time")),
            "running": {
                k: [v > 0.5 for v in row] for k, row in by_one(plan.running.transpose("asset", "time")).items()
            },
            "price_per_kwh": by_one(plan.price_per_kwh.transpose("carrier", "time")),
        }
        if plan.reserve_kw is not None:
            arrays["reserve_kw"] = by_two(plan.reserve_kw.transpose("contract", "asset", "time"))
        if plan.supply_degc is not None:
            arrays["supply_degc"] = by_one(plan.supply_degc.transpose("network", "time"))
        return cls.model_validate(summary_of(made) | arrays)


class ReceiptOut(BaseModel):
    """What became of one command."""

    id: str
    device: str
    quantity: str
    value: Number
    read_back: Number
    outcome: Outcome
    code: str
    message: str
    issued_at: datetime
    issued_by: str
    at: datetime
    plan_id: str

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptOut":
        """Return a receipt as the interface shows it."""
        command = {
            k: getattr(receipt.command, k)
            for k in ("id", "device", "quantity", "value", "issued_at", "issued_by", "plan_id")
        }
        own = {k: getattr(receipt, k) for k in ("outcome", "code", "message", "at", "read_back")}
        return cls.model_validate(command | own)


class CommandOut(BaseModel):
    """A command that nobody has carried out yet."""

    id: str
    device: str
    quantity: str
    value: Number
    issued_at: datetime
    issued_by: str
    deadline: datetime
    plan_id: str

    @classmethod
    def of(cls, command: Command) -> "CommandOut":
        """Return a command as the interface shows it."""
        return cls.model_validate(command, from_attributes=True)


class WaitingOut(BaseModel):
    """What waits for an operator."""

    mode: Mode = Field(description="auto carries out, advise lets wait, shadow and off send nothing")
    items: list[CommandOut]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class PlanPage(BaseModel):
    """Plans, newest first."""

    items: list[PlanSummary]
    next: str | None = Field(description="value for `before` that gives the next page; null on the last")


class ReceiptPage(BaseModel):
    """Receipts, newest first."""

    items: list[ReceiptOut]
    next: str | None = Field(description="value for `before` that gives the next page; null on the last")


def summary_of(made: MadePlan) -> dict[str, object]:
    """Return the fields of a plan in short."""
    plan, check = made.plan, made.check
    findings = [*plan.findings, *(check.findings if check is not None else ())]
    return {
        "id": plan.id,
        "made_at": plan.made_at,
        "start": plan.horizon.start,
        "end": plan.horizon.end,
        "steps": len(plan.horizon),
        "source": plan.source,
        "total_cost": plan.total_cost,
        "cost": dict(plan.cost),
        "peak_cap_kw": made.peak_cap_kw,
        "solver": SolverOut.model_validate(plan.solver, from_attributes=True),
        "check_ok": None if check is None else check.ok,
        "findings": [FindingOut.of(f) for f in findings],
    }


def by_one(array: xr.DataArray) -> dict[str, list[float]]:
    """Return a labelled (name, time) array as lists by name, rows without any value left out."""
    names = array[array.dims[0]].values
    rows = zip(names, np.asarray(array.values, dtype=float), strict=True)
    return {str(name): row.tolist() for name, row in rows if np.isfinite(row).any()}


def by_two(array: xr.DataArray) -> dict[str, dict[str, list[float]]]:
    """Return a labelled (asset, carrier, time) or (contract, asset, time) array as lists, ports without any power left out."""
    found: dict[str, dict[str, list[float]]] = {}
    outer, inner = (array[dim].values for dim in array.dims[:2])
    for asset, block in zip(outer, np.asarray(array.values, dtype=float), strict=True):
        rows = {str(c): row.tolist() for c, row in zip(inner, block, strict=True) if np.nan_to_num(row).any()}
        if rows:
            found[str(asset)] = rows
    return found
