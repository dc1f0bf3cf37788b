"""The sizing study: choose sizes over typical periods, run the whole year with them, and let the twin replay its worst weeks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.finance import annuity_factor, payback_years, present_value, rates_of_return
from models.site import Site
from optimizers.alternatives import Alternative, alternatives
from optimizers.capacity import Planner, Sizing
from optimizers.dispatch import Dispatcher
from optimizers.outlook import kept_share
from optimizers.periods import typical_year, whole_year
from optimizers.sizes import with_fields
from optimizers.sizing_program import SizingProblem
from scenarios.sizing.options import Options
from scenarios.sizing.worst import WorstWeek, replay_worst_weeks
from scenarios.sizing.year import year_problem

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Worth:
    """What a plan earns against doing nothing, over the years that count.

    ``returns`` are the yearly payments saved less those made, by year from 0, not discounted; ``rates`` every internal rate of return.
    """

    returns: tuple[float, ...]
    npv: float
    annuity: float
    rates: tuple[float, ...]
    payback_years: float | None
    discounted_payback_years: float | None

    @classmethod
    def of(cls, base: Sizing, plan: Sizing) -> "Worth":
        """Return what ``plan`` earns against ``base``."""
        rate, years = plan.outlook.discount_rate, plan.outlook.years
        returns = tuple(b - p for b, p in zip(base.payments, plan.payments, strict=True))
        npv = present_value(rate, returns)
        return cls(
            returns,
            npv,
            npv * annuity_factor(rate, years),
            rates_of_return(returns),
            payback_years(returns),
            payback_years(returns, rate),
        )


@dataclass(frozen=True, slots=True)
class YearCheck:
    """The cost of a mean year's operation with the sizes chosen: over the typical periods, and over every hour of the year."""

    typical: float
    whole: float
    unserved_kwh: float

    @property
    def error_share(self) -> float:
        """By how much the typical periods are too cheap (negative) or too dear, as a share of the whole year."""
        return (self.typical - self.whole) / max(abs(self.whole), 1.0)


@dataclass(frozen=True, slots=True)
class Study:
    """A sizing study: what there is, what should be built, what it earns, and what holds when it is looked at closely."""

    options: Options
    base: Sizing
    plan: Sizing
    worth: Worth
    periods: int
    aggregation_error_share: float
    year: YearCheck | None
    worst: tuple[WorstWeek, ...]
    near: tuple[Alternative, ...]
    """For each option the plan with the least and the plan with the most of it that costs hardly more."""

    @property
    def ok(self) -> bool:
        """Whether the twin accepts every worst week."""
        return all(w.check.ok for w in self.worst)


class Workshop:
    """One options file ready to be sized: the year, its typical periods, and the planner, built once."""

    def __init__(self, options: Options, dispatcher: Dispatcher, *, deadline_s: float = 600.0) -> None:
        document = options.document
        self.options, self.dispatcher, self.deadline_s = options, dispatcher, deadline_s
        self.year = year_problem(
            options.site,
            unserved_price_per_kwh=document.unserved_price_per_kwh,
            co2_price_per_kg=document.co2_price_per_kg,
        )
        self.typical = typical_year(self.year, count=document.typical_periods, hours=document.hours_per_period)
        self.planner = Planner(self._problem(), dispatcher, deadline_s=deadline_s)

    def _problem(self) -> SizingProblem:
        document = self.options.document
        return SizingProblem(
            site=self.options.site,
            year=self.typical,
            options=self.options.sizes,
            outlook=self.options.outlook,
            co2_cap_kg=document.co2_cap_kg_per_year,
            whole_operation=document.whole_operation,
        )

    def check_year(self, plan: Sizing) -> YearCheck:
        """Run every hour of the year with the sizes of a plan, and compare with what its typical periods said."""
        site = built_site(self.options, plan)
        alone = replace(self.options.outlook, stages=(0,), load_growth=0.0)
        problem = SizingProblem(site=site, year=whole_year(replace(self.year, site=site)), options=(), outlook=alone)
        whole = Planner(problem, self.dispatcher, deadline_s=self.deadline_s).cheapest()
        return YearCheck(_operation(plan), _operation(whole), whole.unserved_kwh_per_year)

    def worst_weeks(self, plan: Sizing, *, most: int = 3) -> tuple[WorstWeek, ...]:
        """Let the twin replay the worst weeks of the year with what a plan builds."""
        return replay_worst_weeks(built_site(self.options, plan), self.year, most=most)


def study(
    options: Options,
    dispatcher: Dispatcher,
    *,
    deadline_s: float = 600.0,
    whole: bool = True,
    weeks: int = 3,
    slack_share: float = 0.0,
    progress: Progress = lambda _: None,
) -> Study:
    """Return the study of an options file; raises what :meth:`optimizers.capacity.Planner.solve` raises.

    ``whole`` runs the whole year with the sizes chosen, ``weeks`` is how many worst weeks the twin replays at most,
    and with a ``slack_share`` the plans are sought that hold least and most of each option for so much more cost.
    """
    progress("typical periods and the program")
    shop = Workshop(options, dispatcher, deadline_s=deadline_s)
    progress("sizes")
    plan = shop.planner.cheapest()
    progress("the site as it is")
    base = shop.planner.unbuilt()
    check: YearCheck | None = None
    worst: tuple[WorstWeek, ...] = ()
    if whole and len(options.outlook.stages) == 1:
        progress("every hour of the year")
        check = shop.check_year(plan)
    near: tuple[Alternative, ...] = ()
    if slack_share:
        progress("alternatives that cost hardly more")
        near = alternatives(shop.planner, plan, slack_share=slack_share)
    if weeks:
        progress("the worst weeks on the networks")
        worst = shop.worst_weeks(plan, most=weeks)
    typical = shop.typical
    worth, count = Worth.of(base, plan), len(typical.periods)
    return Study(options, base, plan, worth, count, typical.mean_error_share, check, worst, near)


def built_site(options: Options, plan: Sizing) -> Site:
    """Return the site with what a plan has built in the end, aged as in a mean year; what is not built is not there."""
    years, gone = range(options.outlook.years), set[str]()
    changed: dict[str, dict[str, float]] = {}
    for choice in plan.choices:
        option, asset = choice.option, choice.option.asset
        size = option.existing + kept_share(option, 0, years) * sum(choice.built)
        if option.copies:
            gone |= set(option.copies[round(choice.size) :])
        elif size <= 0:
            gone.add(asset)
        else:
            described = options.site.asset(asset)
            scaled = {f: float(getattr(described, f)) * size / option.reference for f in option.fields}
            changed.setdefault(asset, {}).update(scaled)
    site = with_fields(options.site, changed)
    return replace(site, assets=tuple(a for a in site.assets if a.id not in gone))


def _operation(plan: Sizing) -> float:
    return sum(plan.mean_operation.values())
