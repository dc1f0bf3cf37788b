"""What monitoring answers; units stand in the names, powers are positive when they feed the network."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.carriers import Carrier
from models.components import AnyAsset
from models.ports import Outcome, Quality
from models.site import Site
from models.state import Snapshot
from service.api.fields import Number, Share, by_asset, by_asset_and_carrier
from service.runtime import PlantKind, Runtime
from service.views.flows import FlowView
from service.views.tiles import KeyFigures
from service.views.timeline import AssetLine, Timeline


class AssetOut(BaseModel):
    """One asset of the site."""

    id: str
    kind: str
    title: str
    control: Carrier = Field(description="carrier whose power a set-point names")
    nodes: dict[Carrier, str]
    device: str | None = Field(description="device that measures and commands it")

    @classmethod
    def of(cls, site: Site, asset: AnyAsset) -> "AssetOut":
        """Return an asset as the interface shows it."""
        device = site.device_of(asset.id)
        return cls(
            id=asset.id,
            kind=asset.kind,
            title=asset.title or asset.id,
            control=asset.control,
            nodes=asset.ports(),
            device=None if device is None else device.id,
        )


class CustomerOut(BaseModel):
    """One customer of the site."""

    id: str
    name: str
    sector: str
    consumer: str


class SiteSummary(BaseModel):
    """A site in one line."""

    name: str
    title: str
    notice: str
    currency: str
    time_zone: str
    carriers: list[Carrier]
    assets: int
    customers: int

    @classmethod
    def of(cls, site: Site) -> "SiteSummary":
        """Return a site in one line."""
        return cls(
            name=site.name,
            title=site.title,
            notice=site.notice,
            currency=site.currency,
            time_zone=site.location.time_zone,
            carriers=list(site.carriers),
            assets=len(site.assets),
            customers=len(site.customers),
        )


class SitePage(BaseModel):
    """Sites by name."""

    items: list[SiteSummary]
    next: str | None = Field(description="value for `after` that gives the next page; null on the last")


class SiteOut(SiteSummary):
    """A site with its assets and customers."""

    asset_list: list[AssetOut]
    customer_list: list[CustomerOut]

    @classmethod
    def of(cls, site: Site) -> "SiteOut":
        """Return a site with its parts."""
        customers = [CustomerOut(id=c.id, name=c.name, sector=c.sector, consumer=c.consumer) for c in site.customers]
        assets = [AssetOut.of(site, a) for a in site.assets]
        return cls(**SiteSummary.of(site).model_dump(), asset_list=assets, customer_list=customers)


class ValueOut(BaseModel):
    """How far one value of the snapshot may be trusted."""

    asset: str
    quantity: str
    quality: Quality
    age_s: Number
    residual: Number = Field(description="measured minus model, in the quantity's unit")


class UnitOut(BaseModel):
    """Whether a unit runs, and for how long it has been in that state."""

    running: bool
    hours_in_state: Number


class SnapshotOut(BaseModel):
    """What the site does and holds at one instant."""

    at: datetime
    power_kw: dict[str, dict[str, Number]] = Field(
        description="by asset and carrier, positive when it feeds the network"
    )
    stored_kwh: dict[str, Number]
    units: dict[str, UnitOut]
    peak_import_kw: Number = Field(description="highest 15-min mean import of the billing period")
    values: list[ValueOut]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "SnapshotOut":
        """Return a snapshot as the interface shows it."""
        return cls(
            at=snapshot.at,
            power_kw=by_asset_and_carrier(snapshot.power_kw),
            stored_kwh=by_asset(snapshot.stored_kwh),
            units={a: UnitOut(running=u.running, hours_in_state=u.hours_in_state) for a, u in snapshot.units.items()},
            peak_import_kw=snapshot.peak_import_kw,
            values=[
                ValueOut(asset=a, quantity=q, quality=t.quality, age_s=t.age_s, residual=t.residual)
                for (a, q), t in snapshot.tags.items()
            ],
        )


class RateOut(BaseModel):
    """Cost in the site's currency and emission, per hour or summed."""

    cost: Number
    co2_kg: Number


class StoreOut(BaseModel):
    """How full one store is."""

    asset: str
    title: str
    kind: str
    stored_kwh: Number
    stored_share: Share
    energy_kwh: Number
    power_kw: Number


class PlanStateOut(BaseModel):
    """The newest plan in short."""

    plan_id: str
    age_s: Number
    source: str
    status: str
    gap_share: Share
    findings: int
    check_ok: bool | None


class KeyFiguresOut(BaseModel):
    """The present of the site in a few numbers."""

    at: datetime
    currency: str
    now_per_h: RateOut
    today: RateOut = Field(description="since local midnight, as far as measured; without the demand charge")
    price_per_kwh: Number
    import_kw: Number = Field(description="net of export")
    peak_import_kw: Number
    peak_cap_kw: Number
    renewable_kw: Number
    self_use_share: Share
    efficiency_share: Share = Field(description="share of what came in that consumers, exports and stores got")
    stores: list[StoreOut]
    plan: PlanStateOut | None
    values_by_quality: dict[Quality, int]

    @classmethod
    def of(cls, figures: KeyFigures) -> "KeyFiguresOut":
        """Return key figures as the interface shows them."""
        own = {k: getattr(figures, k) for k in cls.model_fields if hasattr(figures, k) and k not in _NESTED}
        plan = figures.plan
        return cls(
            **own,
            now_per_h=RateOut.model_validate(figures.now, from_attributes=True),
            today=RateOut.model_validate(figures.today, from_attributes=True),
            stores=[StoreOut.model_validate(s, from_attributes=True) for s in figures.stores],
            plan=None if plan is None else PlanStateOut.model_validate(plan, from_attributes=True),
            values_by_quality=dict(figures.values),
        )


_NESTED = frozenset({"today", "stores", "plan"})


class FlowOut(BaseModel):
    """Energy that goes from one node to another."""

    source: str
    target: str
    carrier: Carrier
    amount: Number


class BalanceOut(BaseModel):
    """One carrier's sums: supplied + discharged = used + charged + exported + difference."""

    carrier: Carrier
    supplied: Number
    discharged: Number
    used: Number
    charged: Number
    exported: Number
    difference: Number = Field(description="network losses and the error of the meters")


class FlowsOut(BaseModel):
    """The energy flow of an instant (kW) or of a period (kWh); every node adds up."""

    unit: str
    start: datetime
    end: datetime
    flows: list[FlowOut]
    balances: list[BalanceOut]

    @classmethod
    def of(cls, view: FlowView, start: datetime, end: datetime) -> "FlowsOut":
        """Return a flow view as the interface shows it."""
        flows = [FlowOut.model_validate(f, from_attributes=True) for f in view.flows]
        balances = [BalanceOut.model_validate(b, from_attributes=True) for b in view.balances]
        return cls(unit=view.unit, start=start, end=end, flows=flows, balances=balances)


class CarrierTimelineOut(BaseModel):
    """Powers on one carrier by kind of asset."""

    carrier: Carrier
    measured_kw: dict[str, list[Number]]
    planned_kw: dict[str, list[Number]]


class StoreTimelineOut(BaseModel):
    """Energy in one store; planned values hold at the end of each step."""

    asset: str
    title: str
    kind: str
    energy_kwh: Number
    measured_kwh: list[Number]
    planned_kwh: list[Number]


class Axes(BaseModel):
    """Where measured and planned values lie in time: each has a start and a step."""

    now: datetime
    measured_start: datetime
    measured_step_s: int
    planned_start: datetime
    planned_step_s: int

    @staticmethod
    def axes_of(lines: Timeline | AssetLine) -> dict[str, object]:
        """Return the axes of a timeline or an asset's line."""
        return {
            "now": lines.now,
            "measured_start": lines.measured_start,
            "measured_step_s": int(lines.measured_step.total_seconds()),
            "planned_start": lines.planned_start,
            "planned_step_s": int(lines.planned_step.total_seconds()),
        }


class TimelineOut(Axes):
    """History and plan of every carrier and store on one time axis."""

    carriers: list[CarrierTimelineOut]
    stores: list[StoreTimelineOut]

    @classmethod
    def of(cls, lines: Timeline) -> "TimelineOut":
        """Return a timeline as the interface shows it."""
        carriers = [CarrierTimelineOut.model_validate(c, from_attributes=True) for c in lines.carriers]
        stores = [StoreTimelineOut.model_validate(s, from_attributes=True) for s in lines.stores]
        return cls.model_validate(cls.axes_of(lines) | {"carriers": carriers, "stores": stores})


class CommandedOut(BaseModel):
    """One set-point that was sent."""

    at: datetime
    setpoint_kw: Number
    outcome: Outcome


class AssetLineOut(Axes):
    """One asset's measured, planned and commanded power on its control carrier."""

    asset: str
    title: str
    carrier: Carrier
    measured_kw: list[Number]
    planned_kw: list[Number]
    commanded: list[CommandedOut]

    @classmethod
    def of(cls, line: AssetLine) -> "AssetLineOut":
        """Return an asset's line as the interface shows it."""
        sent = [CommandedOut.model_validate(c, from_attributes=True) for c in line.commanded]
        own = {k: getattr(line, k) for k in ("asset", "title", "carrier", "measured_kw", "planned_kw")}
        return cls.model_validate(cls.axes_of(line) | own | {"commanded": sent})


class HealthOut(BaseModel):
    """Whether the service does its work."""

    status: str = Field(description="starting, ok or stale (no snapshot for more than two minutes of site time)")
    version: str
    plant: PlantKind
    speed: float = Field(description="site seconds per real second")
    now: datetime = Field(description="site time")
    started_at: datetime
    snapshot_age_s: Number
    plan_age_s: Number
    last_event_id: int

    @classmethod
    def of(cls, runtime: Runtime, version: str) -> "HealthOut":
        """Return the health of the running system."""
        now, memory = runtime.clock.now(), runtime.memory
        snapshot, made = memory.snapshot, memory.plan
        age_s = None if snapshot is None else (now - snapshot.at).total_seconds()
        plan_age_s = None if made is None else (now - made.plan.made_at).total_seconds()
        status = "starting" if age_s is None else "stale" if age_s > STALE_AFTER_S else "ok"
        return cls(
            status=status,
            version=version,
            plant=runtime.plant,
            speed=runtime.speed,
            now=now,
            started_at=runtime.started_at,
            snapshot_age_s=age_s,
            plan_age_s=plan_age_s,
            last_event_id=memory.events.last_id,
        )


STALE_AFTER_S = 120.0
