from dataclasses import replace

import numpy as np
import pytest

from customers.catalogue.modules import load_catalogue
from customers.costs.library import load_costs
from customers.packages.between import ASSUMED, BetweenYears, learnt
from customers.packages.customer import SiteFacts
from customers.packages.design import design_package, with_offer
from customers.packages.economics import added_items
from customers.packages.portfolio import portfolio
from customers.packages.prices import Design, chosen, price_designs
from customers.packages.proof import Draws, prove, weeks_near
from customers.packages.sensitivity import swings
from customers.packages.swing import learnt_swing
from customers.packages.variants import Variant
from customers.proposal.content import Proposal
from models.errors import DataError
from service.reports.proposal_document import proposal_document
from tests.packages.package_cases import bench, grid, load_wh, sun

CATALOGUE = load_catalogue()
DRAWS = Draws.of(60)


@pytest.fixture(scope="module")
def designed():
    return design_package(bench(), CATALOGUE, draws=DRAWS)


def test_the_design_is_the_best_of_everything_that_was_simulated(designed):
    b = designed.bench
    assert designed.ranked[0].worth == max(x.worth for x in designed.ranked)
    assert len(designed.ranked) == 5 * 4 * 2
    regret = (designed.ranked[0].worth - designed.best.bundle.worth) / (b.before * b.runs_per_year)
    assert regret < 0.01


def test_no_module_is_sold_that_loses_money_and_every_module_has_its_reason(designed):
    assert set(designed.reasons) == set(CATALOGUE.modules) - {"supply", "maintenance"}
    for name, reason in designed.reasons.items():
        assert (name in designed.best.bundle.modules) == (reason.case in ("brings", "loses_but", "asked")), (
            name,
            reason,
        )


def test_a_dear_library_sells_supply_alone(tmp_path):
    dear = tmp_path / "dear.yaml"
    rows = "".join(
        f"- {{id: {n}, unit: {load_costs().items[n].unit}, low: 90000, central: 90000, high: 90000, sources: [{{basis: assumed, text: x}}]}}\n"
        for n in ("pv_capex", "battery_capex", "efficiency_audit", "efficiency_follow_up")
    )
    dear.write_text(f"format: jouletwin-costs/1\nversion: dear\ncurrency: CNY\nitems:\n{rows}")
    made = design_package(bench(library=load_costs(dear)), CATALOGUE, draws=DRAWS)
    assert made.best.bundle.modules == {"supply"}
    assert made.best.bundle.package == "single"
    assert made.reasons["pv"].case == "loses"


def test_the_bill_in_the_proposal_is_the_bill_engines_to_the_cent(designed):
    from models.tariffs.bill import bill
    from models.tariffs.charges import Meters
    from models.tariffs.compile import compile_tariff

    b, proposal = designed.bench, Proposal(designed, CATALOGUE, "en")
    compiled = compile_tariff(b.year.tariff, b.customer.intervals)
    after = bill(compiled, Meters(b.net_wh(designed.best.bundle.simulated)))
    rows = list(proposal.bills())
    for k, row in enumerate(rows[:-1]):
        assert row[2].replace(",", "") == f"{after.total_micro[0, k] / 1e6:.2f}"
        assert sum(line.amount_micro for line in after.lines(after.cycles[k])) == after.total_micro[0, k]
    assert float(rows[-1][1].replace(",", "")) == pytest.approx(designed.before.total_micro.sum() / 1e6, abs=0.005)
    assert designed.best.bundle.saving / b.runs_per_year == pytest.approx(
        (designed.before.total_micro.sum() - designed.after.total_micro.sum()) / 1e6, abs=1.0
    )


def test_both_languages_say_the_same_of_everything(designed):
    told = swings(designed, CATALOGUE)
    for language in ("en", "zh"):
        p = Proposal(designed, CATALOGUE, language, None, told)
        texts = [p.title, p.notice, *p.summary(), *p.reasons(), *p.delivered(), *p.sources()]
        assert all(texts)
        assert not any("{" in t for t in texts)
        assert len(list(p.prices())) == 4
        assert all(len(r) == len(p.heads("swing_head")) for r in p.sensitivities())


def test_each_base_package_is_designed_where_it_is_asked_for():
    facts = SiteFacts(roof_m2=1200, vehicles=20, critical_kw=30, outage_cost=1.0)
    b = bench(facts=facts)
    for package, always in (
        ("emergency", "backup"),
        ("ev_charging", "charging"),
        ("single", "supply"),
        ("integrated", "pv"),
    ):
        made = design_package(b, CATALOGUE, draws=Draws.of(20), package=package)
        assert made.best.bundle.package == package
        assert always in made.best.bundle.modules
        assert all(s.base.package == package for s in swings(made, CATALOGUE)[:3])
    without = bench(facts=SiteFacts(roof_m2=1200))
    with pytest.raises(DataError, match="emergency cannot be built here; it rests on critical_kw"):
        design_package(without, CATALOGUE, draws=Draws.of(20), package="emergency")
    with pytest.raises(DataError, match="'gold' is none"):
        design_package(without, CATALOGUE, draws=Draws.of(20), package="gold")


def test_a_customer_never_reads_our_margin(designed):
    outside, inside = Proposal(designed, CATALOGUE, "en"), Proposal(designed, CATALOGUE, "en", internal=True)
    margin = f"{designed.best.offer.margin_mean:,.0f}"
    assert not any(margin in cell for row in outside.prices() for cell in row)
    assert any(margin in cell for row in inside.prices() for cell in row)
    costs = [f"{r.cost:,.0f}" for r in designed.reasons.values() if r.cost > 0]
    assert costs
    assert not any(c in line for c in costs for line in outside.reasons())
    assert any(c in line for c in costs for line in inside.reasons())
    assert not any("[assumed]" in line for line in outside.sources())
    assert any("[assumed]" in line for line in inside.sources())
    headings = {s.heading for s in proposal_document(replace(outside, swings=swings(designed, CATALOGUE))).sections}
    assert outside.word("sensitivity") not in headings
    assert outside.word("next") in headings
    assert all(len(r) == len(outside.price_heads()) for r in outside.prices())
    assert all(len(r) == len(inside.price_heads()) for r in inside.prices())


def test_figures_that_hardly_matter_move_little_and_dear_money_costs(designed):
    found = {s.item.id: s for s in swings(designed, CATALOGUE)}
    assert found["discount_rate"].low.worth > found["discount_rate"].high.worth
    spans = [s.span for s in swings(designed, CATALOGUE)]
    assert spans == sorted(spans, reverse=True)


def test_an_interval_without_between_year_terms_is_too_narrow():
    b = bench()
    year = b.simulate(Variant(pv_kw=100.0, battery_kwh=40.0))
    one = prove(b, year, BetweenYears(0.0, 0.0, 0.0, swing=0.0), Draws(np.full(60, 0.5), np.zeros(60), 1))
    full = prove(b, year, ASSUMED, DRAWS)
    assert full.interval[1] - full.interval[0] > 2 * (one.interval[1] - one.interval[0])
    assert full.interval[0] < full.mean < full.interval[1]


def test_weather_and_common_shocks_are_the_same_draw_for_every_customer():
    assert np.array_equal(Draws.of(40).sunny, Draws.of(40).sunny)
    archive = sun(grid())
    year, factor = archive.drawn(Draws.of(40).sunny, 0.03)
    assert np.bincount(year).tolist() == [10] * 4
    sums = archive.years.sum(axis=1, dtype=float)[year] * factor
    assert (
        sums.std() > 1.05 * archive.years.sum(axis=1, dtype=float).std()
    )  # four years show neither mean nor spread for sure
    assert sums.mean() == pytest.approx(float(archive.years.sum(axis=1, dtype=float).mean()), rel=0.01)


def test_what_a_metered_year_hides_is_learnt_from_customers_of_whom_two_are_known():
    b = bench()
    one = b.simulate(Variant(battery_kwh=40.0))
    loads = [np.asarray(load_wh(seed=k) / 1e3, dtype=float) for k in range(2, 26)]
    assert learnt_swing([(b, one)] * 24, [b.load_kw] * 24) == 0.0  # the same year again hides nothing
    assert 0.3 < learnt_swing([(b, one)] * 24, loads) < 4.0
    with pytest.raises(DataError, match="20 at least"):
        learnt_swing([(b, one)] * 3, loads[:3])


def test_weeks_come_from_near_by():
    chosen_weeks = weeks_near(np.random.default_rng(1), 52, 100)
    assert np.abs(chosen_weeks - np.arange(52)).max() <= 4
    assert chosen_weeks.min() >= 0


def test_between_year_terms_are_found_again():
    rng = np.random.default_rng(3)
    common = rng.normal(0, 0.03, 11)
    steps = 0.01 + common + rng.normal(0, 0.05, (400, 11))
    sums = 1000 * np.exp(np.cumsum(np.hstack([np.zeros((400, 1)), steps]), axis=1))
    sums[:6, 5:] *= 3  # a few new halls do not widen everybody's interval
    found = learnt(sums)
    assert found.own_sd == pytest.approx(0.05, rel=0.1)
    assert found.common_sd == pytest.approx(common.std(ddof=1), rel=0.2)
    with pytest.raises(DataError, match="20 pairs"):
        learnt(sums[:3, :2])


def test_price_designs_share_the_gain_and_name_the_risk():
    saving = np.random.default_rng(2).normal(100_000, 15_000, 4_000)
    offers = price_designs(saving, 40_000.0, 800_000.0)
    for offer in offers.values():
        assert offer.customer_mean + offer.margin_mean == pytest.approx(saving.mean() - 40_000, rel=1e-6)
    assert offers[Design.FIXED_FEE].margin.std() == pytest.approx(0.0, abs=1e-6)
    assert offers[Design.GUARANTEE].loss_probability == 0.0
    assert offers[Design.GUARANTEE].margin.std() == pytest.approx(saving.std(), rel=1e-6)
    assert offers[Design.SHARE].margin.std() < offers[Design.GUARANTEE].margin.std()
    best = chosen(offers)
    assert best is not None
    assert best.our_loss_probability <= 0.1
    assert chosen(price_designs(saving, 500_000.0, 800_000.0)) is None


def test_modules_without_simulation_follow_the_facts():
    facts = SiteFacts(heat_kwh=1e6, heat_price=0.9, flexible_kw=50, critical_kw=20, outage_hours=40, green_share=0.5)
    found = {i.module: i for i in added_items(bench(facts=facts))}
    assert set(found) == {"heat", "response", "backup", "certificates"}
    assert found["backup"].yearly_gain == 20 * 40 * 30
    assert found["certificates"].worth < 0
    made = design_package(bench(facts=facts), CATALOGUE, draws=DRAWS)
    assert "certificates" in made.best.bundle.modules
    assert ("backup" in made.best.bundle.modules) == (found["backup"].worth > 0)


def test_many_customers_share_capital_and_weather(designed):
    free = portfolio([designed])
    assert free.chosen["c1"] is not None
    assert free.bad_year <= free.margin.mean()
    poor = portfolio([designed], capital=1.0)
    assert poor.capital <= 1.0
    other = next((p for p in designed.alternatives if p.bundle.modules != designed.best.bundle.modules), designed.best)
    assert with_offer(designed, other).best is other
