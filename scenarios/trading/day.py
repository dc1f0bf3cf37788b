"""One trading day of an emulated site, end to end: what is forecast is planned and offered, what is cleared is carried out, metered and settled."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from market.ledger import Ledger
from market.offer_orders import curve_orders, profile_orders
from market.orders import Order
from market.outcomes import AuctionResult
from market.portfolio import Portfolio
from market.prices import PriceHistory
from market.products import MarketError
from market.receivables import Invoice
from market.settlement import Delivery, DifferenceContract, settle
from market.settlement_runs import Run, SettlementBook
from models.actuals import Actuals
from models.components import GridConnection
from models.dispatch import DispatchProblem, Plan, PlanCheck
from models.forecast.naive import NaiveForecaster
from models.horizon import HOUR
from models.offers import OfferSet
from models.site import Site
from models.trading import MarketTerms
from optimizers.dispatch import Dispatcher
from optimizers.offers.build import OfferSettings
from optimizers.offers.day import MarketDay
from optimizers.offers.paths import PricePaths
from optimizers.offers.recourse import least_cost
from scenarios.costs import Powers, operating_cost
from scenarios.day import DayResult, Operator, local_day, run_day, run_day_over_modbus
from scenarios.kpis import horizon_of
from scenarios.offer_proof import made_offers
from scenarios.offering import TradingDays
from scenarios.operate import SnapshotSource
from scenarios.problem import Planner
from scenarios.trading.aftermath import certified, invoiced
from scenarios.trading.capacity import awarded
from scenarios.trading.planning import TradingPlanner
from scenarios.trading.result import DayAccount, account, equipment_value, metered_wh
from scenarios.trading.trace import Trace
from scenarios.trading.traded import TradedDay, TradeSettings
from scenarios.trading.venue import REST, Venue
from twin.state import start_snapshot
from twin.sync import Synchroniser
from twin.verify import Verifier

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
OPERATING = ("gas", "maintenance", "start", "wear")


def trade_day(
    site: Site,
    day: date,
    prices: PriceHistory,
    planner: Planner,
    dispatcher: Dispatcher,
    settings: TradeSettings | None = None,
) -> TradedDay:
    """Trade and operate one local day of an emulated site.

    ``planner`` makes the plans that are carried out; ``dispatcher`` solves offers and what they are compared with.

    Raises
    ------
    DataError, PlanningError
        If the day cannot be forecast, offered, cleared, planned or settled; nothing is booked then.
    """
    return _TradeDay(site, day, prices, planner, dispatcher, settings or TradeSettings()).run()


class _TradeDay:
    """The stages of one day, each adding its link to the trace."""

    def __init__(
        self,
        site: Site,
        day: date,
        prices: PriceHistory,
        planner: Planner,
        dispatcher: Dispatcher,
        settings: TradeSettings,
    ) -> None:
        self.site, self.day, self.prices, self.planner = site, day, prices, planner
        self.dispatcher, self.settings = dispatcher, settings
        self.days = TradingDays(site, prices, seed=settings.seed, fee_per_kwh=settings.fee_per_kwh)
        self.horizon = self.days.horizon(day)
        self.trace = Trace(f"{site.name}-{day:%Y%m%d}")
        self.venue = Venue.of(site, self.horizon, self.days.came(day), settings.seed)

    def run(self) -> TradedDay:
        problem, paths = self._forecast()
        plan = self._plan(problem, paths.expected_per_kwh)
        offers = self._offer(problem, paths)
        result, portfolio = self._trade(offers)
        portfolio = self._hedged(portfolio, offers, paths)
        schedule, check = self._schedule(problem, portfolio)
        operated = self._operate(portfolio)
        delivery = self._delivery(operated, portfolio)
        run, ledger, invoice = self._settle(delivery, schedule)
        certificates = certified(self.site, operated.truth, self.horizon, self._booked_at)
        told = self._account(operated, delivery, run, portfolio, offers, paths)
        return TradedDay(
            self.site,
            self.day,
            self.trace,
            plan,
            offers,
            result,
            portfolio,
            schedule,
            check,
            operated,
            delivery,
            run,
            ledger,
            invoice,
            certificates,
            told,
        )

    def _forecast(self) -> tuple[DispatchProblem, PricePaths]:
        problem, paths = self.days.expected(self.day), self.days.paths(self.day, self.settings.paths)
        values = problem.forecast.values
        words = f"{values.sizes['series']} series and {len(paths)} price paths, prices from {self.prices.source}"
        content = [_digest(values.to_numpy()), paths.digest, _digest(paths.expected_per_kwh)]
        self.trace.add("forecast", paths.digest, words, content)
        return problem, paths

    def _plan(self, problem: DispatchProblem, expected: Floats) -> Plan:
        market = MarketTerms(expected, self.settings.fee_per_kwh)
        plan = self.dispatcher.dispatch(replace(problem, market=market))
        bought = float(self._bought_kw(plan) @ self.horizon.step_h)
        words = (
            f"at expected prices the day costs {plan.total_cost:,.0f} {self.site.currency} and buys {bought:,.0f} kWh"
        )
        self.trace.add("plan", plan.id, words, [plan.id, round(plan.total_cost, 6)])
        return plan

    def _offer(self, problem: DispatchProblem, paths: PricePaths) -> OfferSet:
        settings = OfferSettings(steps=self.settings.steps, seed=self.settings.seed)
        offers = made_offers(
            problem,
            paths,
            self.dispatcher,
            settings,
            fee_per_kwh=self.settings.fee_per_kwh,
            proven=self.settings.proven,
        )
        steps = [[(s.price_micro, s.quantity_wh) for s in c.steps] for c in offers.curves]
        words = f"{len(offers.curves)} curves of up to {max(map(len, steps))} steps; {offers.proof.words()}"
        self.trace.add("offer", offers.proof.paths_hash, words, steps)
        return offers

    def _trade(self, offers: OfferSet) -> tuple[AuctionResult, Portfolio]:
        product, name = self.venue.product, self.site.name
        orders = self._orders(offers)
        words = (
            f"{len(orders)} {'curve orders' if self.settings.form == 'curves' else 'profiles in an exclusive group'}"
        )
        self.trace.add("order", product.id, words, [asdict(o) for o in orders])
        result, trades = self.venue.cleared(name, orders)
        volume = sum(abs(t.quantity_wh) for t in trades) / 1e6
        low, high = min(result.price_micro), max(result.price_micro)
        words = f"{len(trades)} trades over {volume:,.2f} MWh at {low / 1e6:,.0f} to {high / 1e6:,.0f} {self.site.currency}/MWh"
        content = [[t.period, t.quantity_wh, t.price_micro, t.trace] for t in trades]
        self.capacity = awarded(self.site, offers, self.trace.id)
        if held := float(self.capacity.awarded_kw @ self.horizon.step_h):
            words += f"; {held:,.0f} kW·h of capacity awarded"
            content += [
                [k, a.capacity_w, a.price_micro, a.offer.id]
                for k, own in enumerate(self.capacity.awards)
                for _, a in own
            ]
        self.trace.add("trade", f"{len(trades)} trades", words, content)
        return result, Portfolio(name, product.periods).with_trades(trades)

    def _orders(self, offers: OfferSet) -> Sequence[Order]:
        product, name, trace = self.venue.product, self.site.name, self.trace.id
        if self.settings.form == "curves":
            return curve_orders(offers, product, name, trace)
        # what is drawn is worth more than any price the market knows: a site cannot choose to draw nothing
        return profile_orders(offers, product, name, trace, worth_per_mwh=2.0 * product.highest_micro / 1e6)

    def _offered_wh(self, offers: OfferSet, price_per_kwh: Floats) -> Ints:
        """Return what the offers come to at given prices."""
        if self.settings.form == "curves":
            return offers.cleared_wh(price_per_kwh)
        return np.array(offers.best_profile(price_per_kwh).quantity_wh, dtype=np.int64)

    def _hedged(self, portfolio: Portfolio, offers: OfferSet, paths: PricePaths) -> Portfolio:
        """Return the portfolio with its contract for difference, and tell what is open."""
        expected = self._offered_wh(offers, paths.expected_per_kwh)
        quantity = tuple(round(self.settings.hedged_share * int(q)) if q < 0 else 0 for q in expected.tolist())
        if any(quantity):
            strike = round(float(paths.expected_per_kwh.mean()) * 1e9)
            contract = DifferenceContract(f"{self.trace.id}-cfd", self.site.name, REST, strike, quantity)
            portfolio = portfolio.with_contract(contract)
        open_to = portfolio.exposure(expected, paths.energy_per_kwh * 1e3)
        position = portfolio.position_wh()
        words = (
            f"{position.sum() / 1e6:,.2f} MWh net (positive sold); with its contracts the day costs {open_to.mean_cost:,.0f} {self.site.currency} "
            f"on the mean of the paths, {open_to.value_at_risk:,.0f} at {open_to.level:.0%}"
        )
        self.trace.add("position", f"{position.sum()} Wh", words, position.tolist())
        return portfolio

    def _terms(self, portfolio: Portfolio) -> MarketTerms:
        """Return what plans count with: the prices that came, and what the dearest band charges for a kWh beside the position."""
        price = np.array(self.venue.prices_micro(self.venue.came_per_kwh)) / 1e9
        bought_kw = -portfolio.position_wh() / 1000.0 / self.horizon.step_h
        charge = max((b.price_ppm for b in self.settings.bands), default=0) / 1e6 * float(np.abs(price).mean())
        return MarketTerms(price, self.settings.fee_per_kwh, bought_kw, charge, charge)

    def _trading(self, portfolio: Portfolio) -> TradingPlanner:
        """Return the planner that keeps what was traded."""
        return TradingPlanner(self.planner, self.horizon, self._terms(portfolio), self.capacity)

    def _schedule(self, problem: DispatchProblem, portfolio: Portfolio) -> tuple[Plan, PlanCheck]:
        schedule = self._trading(portfolio).plan(problem)
        check = Verifier(self.site)(schedule, problem.initial, problem.forecast)
        away = float(
            np.abs(self._bought_kw(schedule) + portfolio.position_wh() / 1e3 / self.horizon.step_h)
            @ self.horizon.step_h
        )
        verdict = "the twin accepts it" if check.ok else f"the twin says: {next(f for f in check.findings)}"
        self.trace.add(
            "schedule", schedule.id, f"keeps the position but for {away:,.0f} kWh; {verdict}", [schedule.id, check.ok]
        )
        return schedule, check

    def _operate(self, portfolio: Portfolio) -> DayResult:
        forecaster = NaiveForecaster(self.site, Actuals(self.site, self.settings.seed))
        operator = Operator("trading", self._trading(portfolio), forecaster, Verifier(self.site))
        run = run_day_over_modbus if self.settings.over_modbus else run_day
        # no peak is charged at the market, so no guard holds one; the position is by the hour, and so are plans
        settings = replace(operator.settings(local_day(self.site, self.day)), guarded=False, replan=HOUR)
        operated = run(self.site, self.day, operator, self._synchroniser(), seed=self.settings.seed, settings=settings)
        receipts = operated.diary.receipts
        applied = sum(r.outcome.value == "applied" for r in receipts)
        way = "over Modbus" if self.settings.over_modbus else "in process"
        words = f"{len(operated.diary.plans)} plans, {len(receipts)} commands {way}, {applied} applied, {len(operated.unaccounted)} unaccounted"
        content = [
            [r.command.id, r.command.device, r.command.quantity, round(r.command.value, 6), r.outcome.value]
            for r in receipts
        ]
        self.trace.add("commands", f"{len(receipts)} commands", words, content)
        return operated

    def _synchroniser(self) -> SnapshotSource:
        period = local_day(self.site, self.day)
        initial = start_snapshot(self.site, period.start)
        return Synchroniser(self.site, initial=initial, billing_period=lambda _: period)

    def _delivery(self, operated: DayResult, portfolio: Portfolio) -> Delivery:
        count = len(self.horizon)
        metered = metered_wh(self.site, operated.truth, float(self.horizon.step_h[0]), count)
        came, real = (
            tuple(self.venue.prices_micro(p)) for p in (self.venue.came_per_kwh, self.venue.real_time_per_kwh)
        )
        away = np.abs(np.array(metered) - portfolio.position_wh()).sum() / 1000.0
        missed = float(np.abs(self.days.missed_kwh(self.day)).sum())
        words = (
            f"{sum(metered) / 1e6:,.2f} MWh net metered (positive fed); {away:,.0f} kWh beside the position, "
            f"loads and weather came {missed:,.0f} kWh otherwise than forecast"
        )
        self.trace.add("metered delivery", f"{sum(metered)} Wh", words, metered)
        everyone = {self.site.name: tuple(metered), REST: (0,) * count}
        return Delivery(everyone, real, came, portfolio.trades, portfolio.differences, self.settings.bands)

    @property
    def _booked_at(self) -> datetime:
        """When the day is settled: noon of the day after."""
        return self.horizon.end + 12 * HOUR

    def _settle(self, delivery: Delivery, schedule: Plan) -> tuple[Run, Ledger, Invoice | None]:
        items, ledger = [*settle(delivery), *self.capacity.items(schedule)], Ledger(self.site.currency)
        run = SettlementBook(ledger).settle(self.trace.id, items, self._booked_at)
        if run is None:  # a first version is always booked
            raise MarketError([])
        due = run.due_micro().get(self.site.name, 0)
        words = f"{len(run.items)} items; the market {'owes' if due >= 0 else 'is owed'} {abs(due) / 1e6:,.2f} {self.site.currency}"
        self.trace.add("settlement", run.id, words, run.digest)
        invoice = invoiced(ledger, run, self.site.name, self._booked_at)
        asked = "" if invoice is None else f"; invoice {invoice.id} is due on {invoice.due}"
        words = f"{len(ledger.transactions)} transactions, balances sum to {sum(ledger.balances.values())}{asked}"
        self.trace.add("ledger", ledger.head[:16], words, ledger.head)
        return run, ledger, invoice

    def _account(
        self,
        operated: DayResult,
        delivery: Delivery,
        run: Run,
        portfolio: Portfolio,
        offers: OfferSet,
        paths: PricePaths,
    ) -> DayAccount:
        powers = Powers(horizon_of(operated.truth), operated.truth.power_kw)
        cost = operating_cost(self.site, powers)
        metered = list(delivery.metered_wh[self.site.name])
        import_kwh = sum(
            powers.energy_kwh(np.clip(powers.of(g.id, "electricity"), 0.0, None))
            for g in self.site.of_kind(GridConnection)
        )
        operating = {name: cost[name] for name in OPERATING}
        operating["grid fee"] = import_kwh * self.settings.fee_per_kwh
        operating["stores"] = operated.kpis.cost["stored"]
        came = np.array(delivery.reference_micro) / 1e9
        return account(
            run.items, self.site.name, came, portfolio.position_wh().tolist(), metered, operating,
            equipment_value(self.site, powers, came), self._alternatives(paths, offers, came),
        )  # fmt: skip

    def _alternatives(self, paths: PricePaths, offers: OfferSet, came: Floats) -> Mapping[str, float]:
        """Return what the day would have cost in the model, known from its beginning, with other positions: what not knowing cost."""
        problem, fee = self.days.actual(self.day), self.settings.fee_per_kwh
        market = MarketDay(self.days.expected(self.day), fee, self.dispatcher)
        schedule = market.optima(PricePaths(paths.expected_per_kwh[None], paths.expected_per_kwh)).bought_kwh[0]
        charge = max((b.price_ppm for b in self.settings.bands), default=0) / 1e6 * float(np.abs(came).mean())
        step_h = self.horizon.step_h

        def with_position(kwh: Floats) -> float:
            return -least_cost(problem, MarketTerms(came, fee, kwh / step_h, charge, charge), self.dispatcher)

        return {
            "prices and loads known": -least_cost(problem, MarketTerms(came, fee), self.dispatcher),
            "this offer, then known": with_position(-self._offered_wh(offers, came) / 1000.0),
            "self-schedule, then known": with_position(schedule),
        }

    def _bought_kw(self, plan: Plan) -> Floats:
        names = [g.id for g in self.site.of_kind(GridConnection)]
        power: Floats = plan.power_kw.sel(asset=names, carrier="electricity").sum("asset").to_numpy()
        return power


def _digest(values: Floats) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]
