"""Packages: screening of thousands of customers, choice and matching under what is shared, one design with its proof, the park, regret."""

import resource
import time
from collections.abc import Iterable

import numpy as np

from benchmarks.registry import Bench, case
from benchmarks.rows import Row, value_at_least, value_at_most


@case("packages", "mass simulation", size=10_000, quick_size=200, packages=("numba", "numpy"))
def screening(bench: Bench) -> Iterable[Row]:
    """Cost of every customer in 10 designs under 40 tariffs, years of quarter-hours; the sketches' bills beside those of the intervals."""
    from benchmarks.package_cases import SIZED, loads_kw, one_year, sun_of, tariff
    from customers.packages.bands import battery_mode
    from customers.packages.priced import priced
    from customers.packages.sketch import CellPrices, Cells, Population, costs

    tariffs = [tariff(k) for k in range(40)]
    intervals = one_year(15)
    hours = one_year(60)
    years = [priced(t, hours) for t in tariffs]
    by_hour, cells = (Cells.over(tariffs[0].calendar, i) for i in (hours, intervals))
    prices = [CellPrices.of(y, by_hour) for y in years]
    fine = priced(tariffs[3], intervals)
    load = loads_kw(bench.size)
    roof = load.max(axis=1).astype(np.float64)
    sun = sun_of(intervals, [2000]).typical
    mode = battery_mode(fine, 0.86, 0.2)
    few = Population(load[:4], roof[:4])
    costs(few, SIZED, prices, cells, sun, mode, 0.93)
    begun = time.perf_counter()
    found = costs(Population(load, roof), SIZED, prices, cells, sun, mode, 0.93)
    seconds = time.perf_counter() - begun
    name = f"{bench.size:,} customers x {found.shape[1] * found.shape[2]} packages simulated"
    yield bench.figure(seconds, "s", target=None if bench.quick else value_at_most(15.0), phase=name)
    exact = fine.cost(load[1].astype(np.float64) - roof[1] * sun)
    yield bench.figure(
        abs(found[1, 6, 3] / exact - 1), "share", target=value_at_most(1e-4), phase="sketch beside intervals"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    yield bench.figure(peak, "GB", phase="memory of the simulation")


@case("packages", "choice", size=2_000, quick_size=100, packages=("highspy",))
def choice(bench: Bench) -> Iterable[Row]:
    """Choose among 50 bundles a customer under capital and 40 feeders; the gap is proven by the bound."""
    from scipy import sparse

    from optimizers.packages import Columns, choose

    rng, each, feeders = np.random.default_rng(4), 50, 40
    owner = np.repeat(np.arange(bench.size), each)
    scale = np.exp(rng.normal(0, 1, bench.size))[owner]
    pv = rng.integers(0, 5, len(owner)) / 4 * scale * 100
    battery = rng.integers(0, 4, len(owner)) * scale * 30
    capital = 3.2 * pv + 1.2 * battery + rng.integers(0, 3, len(owner)) * scale * 40
    value = 0.9 * pv**0.93 + 0.25 * battery**0.9 + rng.normal(0, 6, len(owner)) * scale
    feeder = rng.integers(0, feeders, bench.size)[owner]
    rows = np.concatenate([np.zeros(len(owner), np.int64), 1 + feeder])
    columns = np.tile(np.arange(len(owner)), 2)
    uses = sparse.csr_array((np.concatenate([capital, pv]), (rows, columns)), shape=(feeders + 1, len(owner)))
    most = 50 * scale.sum() / each
    problem = Columns(owner, value, uses, np.array([2.0 * most, *([3.0 * most / feeders] * feeders)]))
    found = choose(problem)
    name = f"choice of {bench.size:,} customers x {each} bundles"
    yield bench.figure(found.seconds, "s", target=value_at_most(30.0), phase=name)
    yield bench.figure(
        found.gap_share * 100, "%", target=value_at_most(0.1), phase="distance of the choice to its bound"
    )
    taken = problem.taken(found.column[found.column >= 0])
    yield bench.figure(
        float((taken / problem.room).max()),
        "share",
        target=value_at_most(1.0 + 1e-6),
        phase="fullest resource",
    )


@case("packages", "matching", size=10_000, quick_size=300, packages=("highspy",))
def matching(bench: Bench) -> Iterable[Row]:
    """Match needs with 50 providers under capacities and 200 feeders: gain beside first come, and distance to the bound."""
    from datetime import date

    from customers.catalogue.offers import ProviderOffer
    from customers.matching.match import Need, match

    rng, on = np.random.default_rng(6), date(2026, 1, 1)
    modules, feeders, providers = ("pv", "storage", "efficiency"), 200, 50
    size = np.exp(rng.normal(3.5, 0.8, bench.size))
    needs = [
        Need(
            f"c{k}",
            modules[k % 3],
            float(s),
            float(s * rng.uniform(20, 80)),
            float(s * 60),
            float(s * 90),
            f"b{rng.integers(feeders)}",
        )
        for k, s in enumerate(size.tolist())
    ]
    total = {m: sum(n.size for n in needs if n.module == m) for m in modules}
    offers = [
        ProviderOffer(f"p{k}", modules[k % 3], float(rng.uniform(0.8, 1.25)), total[modules[k % 3]] * float(rng.uniform(0.02, 0.06)),
                      date(2030, 1, 1), float(rng.uniform(0, 1)), float(rng.uniform(0.4, 1)))
        for k in range(providers)
    ]  # fmt: skip
    rooms = {f"b{k}": total["pv"] / feeders * float(rng.uniform(0.5, 1.2)) for k in range(feeders)}
    begun = time.perf_counter()
    found = match(needs, offers, on, rooms)
    name = f"{bench.size:,} needs matched with {providers} offers over {feeders} feeders"
    yield bench.figure(time.perf_counter() - begun, "s", target=value_at_most(60.0), phase=name)
    yield bench.figure(
        found.gain / found.greedy_gain,
        "x",
        target=value_at_least(1.0),
        phase="gain of the matching / first come",
    )
    yield bench.figure((1 - found.gain / found.bound) * 100, "%", phase="distance of the matching to its bound")


@case("packages", "one design", packages=("numba", "numpy"))
def one_design(bench: Bench) -> Iterable[Row]:
    """Design one customer of the demo park with its proof, then replay the year on the network and write the proposal."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from benchmarks.package_cases import park
    from customers.packages.deliverability import Fed, check_delivery
    from customers.packages.design import design_package
    from customers.packages.sensitivity import swings
    from customers.proposal.content import Proposal
    from service.reports.document import write_document
    from service.reports.proposal_document import proposal_document

    site, catalogue, benches = park()
    one = next(b for b in benches if b.customer.id == "hotel")
    made = design_package(one, catalogue)
    yield bench.time(
        lambda: design_package(one, catalogue),
        target=value_at_most(5.0),
        unit="s",
        phase="one design with its proof",
    )
    delivery = check_delivery(site, Fed.of([(one, made.best.bundle)], 8760))
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        proposal = Proposal(made, catalogue, "zh", delivery, swings(made, catalogue))
        write_document(proposal_document(proposal), Path(folder) / "proposal.pdf")
    yield bench.figure(time.perf_counter() - begun, "s", phase="sensitivity and PDF")
    before, after = proposal.totals()
    billed = made.before.total_micro.sum() - made.after.total_micro.sum()
    yield bench.figure(
        abs(before - after - int(billed)) / 1e6,
        "CNY",
        target=value_at_most(0.0),
        phase="bill in the proposal beside the engine",
    )


@case("packages", "the park", packages=("numba", "numpy"))
def the_park(bench: Bench) -> Iterable[Row]:
    """Design the ten park customers: which modules are sold to whom, and all of them together on the network."""
    from benchmarks.package_cases import park
    from customers.packages.delivered import deliverable
    from customers.packages.design import design_package

    site, catalogue, benches = park()
    made = [design_package(b, catalogue) for b in (benches[:2] if bench.quick else benches)]
    sold = [d.best.bundle.modules for d in made]
    for module in catalogue.modules:
        if module not in ("supply", "maintenance"):
            yield bench.figure(sum(module in s for s in sold), "customers", phase=f"park, {module} in the package of")
    every = sum(len(s) == len(catalogue.modules) for s in sold)
    yield bench.figure(every, "customers", target=value_at_most(0), phase="park, every module in the package of")
    made, together = deliverable(site, made, catalogue, 8760)
    kept = sum(d.best.bundle.simulated.variant.pv_kw for d in made)
    yield bench.figure(kept, "kW", phase="park, photovoltaics that the network takes")
    yield bench.figure(together.held, "hours", phase="park, hours in which inverters hold a voltage")
    more = together.after.beyond - together.before.beyond
    yield bench.figure(
        more, "hours", target=value_at_most(0), phase="park, hours beyond a limit that all packages bring"
    )


@case("packages", "regret", size=50, quick_size=3, packages=("numba", "numpy"))
def regret(bench: Bench) -> Iterable[Row]:
    """Small cases under four tariffs: the package that is offered beside the best of an exhaustive simulation with exact bills."""
    from benchmarks.package_cases import made_up, one_year, sun_of, tariff
    from customers.catalogue.modules import load_catalogue
    from customers.costs.library import load_costs
    from customers.packages.design import bills, bundles, design_package
    from customers.packages.priced import priced
    from customers.packages.proof import Draws
    from customers.packages.variants import Bench as Design
    from customers.packages.variants import variants

    library, intervals = load_costs(), one_year(60)
    catalogue, sun = load_catalogue(known_costs=library.items), sun_of(intervals, range(2000, 2006))
    people, losses = made_up(bench.size, intervals, 11), []
    for k, person in enumerate(people):
        b = Design(person, priced(tariff(k % 4), intervals), sun, library)
        made = design_package(b, catalogue, draws=Draws.of(40))
        worth = []
        for bundle in bundles(b, [b.simulate(v) for v in variants(b)], catalogue):
            before, after = bills(b, bundle.simulated)
            exact = float((before.total_micro.sum() - after.total_micro.sum()) / 1e6) * b.runs_per_year
            worth.append(exact + bundle.yearly_gain - bundle.yearly_cost)
        before, after = bills(b, made.best.bundle.simulated)
        mine = float((before.total_micro.sum() - after.total_micro.sum()) / 1e6) * b.runs_per_year
        mine += made.best.bundle.yearly_gain - made.best.bundle.yearly_cost
        losses.append((max(worth) - mine) / (b.before * b.runs_per_year))
    yield bench.figure(
        100 * float(np.max(losses)),
        "% of bill",
        target=value_at_most(1.0),
        phase=f"largest regret of {bench.size} small cases",
    )
    yield bench.figure(100 * float(np.mean(losses)), "% of bill", phase="mean regret")
