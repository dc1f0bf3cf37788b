"""What was traded ahead: every kWh beside the position is a deviation, and deviations cost."""

from dataclasses import dataclass

from models.components import GridConnection
from optimizers.blocks.book import Book, Facts, Values
from optimizers.compile.rules import Step

NAME = "position"


@dataclass(frozen=True, slots=True)
class PositionBlock:
    """The site's net import in each step is its position, more (short) or less (long) of it at a price."""

    grids: tuple[GridConnection, ...]

    def declare(self, book: Book) -> None:
        """Write both deviations, the row that measures them, and what they cost."""
        f = book.f
        short, long = f.column(NAME, "short_kw"), f.column(NAME, "long_kw")
        traded = f.series(f"{NAME}.bought_kw")
        ports = [(f.columns[f"{g.id}.import_kw"], f.columns[f"{g.id}.export_kw"]) for g in self.grids]

        def imported(t: Step) -> object:
            return sum(bought[t] - sold[t] for bought, sold in ports)

        f.row(NAME, "deviation", lambda t: imported(t) - short[t] + long[t] == traded[t])
        more, less = f.series(f"{NAME}.short_per_kw"), f.series(f"{NAME}.long_per_kw")
        f.cost("imbalance", NAME, lambda t: more[t] * short[t] + less[t] * long[t])

    def values(self, facts: Facts) -> Values:
        """Return the position and the prices of deviations."""
        market = facts.problem.market
        if market is None or market.bought_kw is None:
            return {}
        return {
            f"{NAME}.bought_kw": market.bought_kw,
            f"{NAME}.short_per_kw": market.short_per_kwh * facts.step_h,
            f"{NAME}.long_per_kw": market.long_per_kwh * facts.step_h,
        }
