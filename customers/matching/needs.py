"""What designed packages ask providers for: every module that is built, with its part of the package's worth."""

from customers.matching.match import Need
from customers.packages.design import PackageDesign


def needs_of(design: PackageDesign) -> list[Need]:
    """Return what a design's package needs built, each module with its part of the package's worth."""
    bundle, customer = design.best.bundle, design.bench.customer
    built = [i for i in bundle.items if i.capital > 0]
    spent = sum(i.yearly_cost for i in built)
    worth = max(bundle.worth, 0.0)
    return [
        Need(
            customer.id,
            i.module,
            1.0 if i.module == "efficiency" else i.size,
            worth * i.yearly_cost / spent,
            i.yearly_cost,
            (worth + spent) * i.yearly_cost / spent,
            customer.bus,
        )
        for i in built
    ]
