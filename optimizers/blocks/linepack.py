"""Gas in pipes: node balances with what the pipes hold, and the pipes' law around a point; the numbers of the point are parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizers.compile.rules import ONCE, At, Before, Column, Formulation, Step

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NAME = "gas"


@dataclass(frozen=True, slots=True)
class LinepackBlock:
    """A gas network with one source (node 0) as rows over pressures in bar and flows in kg/s.

    ``start`` and ``end`` are the nodes of every pipe, ``drawing`` the nodes that draw.
    """

    start: Ints
    end: Ints
    nodes: int
    drawing: tuple[int, ...]
    pressure_bar: tuple[float, float]

    def formulation(self) -> Formulation:
        """Return pressures, flows, purchase and shortfalls with their rows and costs."""
        f, (least, most) = Formulation(), self.pressure_bar
        pressure = [
            f.column(NAME, f"pressure_{i}_bar", lower=least, upper=most, before=Before.GIVEN) for i in range(self.nodes)
        ]
        flow = [f.column(NAME, f"flow_{k}_kg_per_s", lower=float("-inf")) for k in range(len(self.start))]
        bought = f.column(NAME, "source_kg_per_s", upper=f.series("source_max"))
        short = {i: f.column(NAME, f"short_{i}_kg_per_s", upper=f.series(f"short_max_{i}")) for i in self.drawing}
        for i in range(self.nodes):
            fed = [bought] if i == 0 else []
            self._declare_balance(f, i, pressure[i], flow, [*fed, *([short[i]] if i in short else [])])
        for k in range(len(self.start)):
            self._declare_law(f, k, pressure, flow[k])
        self._declare_end(f, pressure)
        price, fine = f.series("price"), f.series("short_price")
        f.cost("gas", NAME, lambda t: price[t] * bought[t])
        for column in short.values():
            f.cost("unserved", NAME, lambda t, c=column: fine[t] * c[t])  # type: ignore[misc]
        return f

    def _declare_balance(
        self, f: Formulation, i: int, pressure: Column, flow: Sequence[Column], fed: Sequence[Column]
    ) -> None:
        """Let a node's share of the pipes take up what comes in less what goes out and what is drawn."""
        now, before, rest = (f.series(f"{what}_{i}") for what in ("hold", "held", "rest"))
        inward = [flow[k] for k in np.flatnonzero(self.end == i).tolist()]
        outward = [flow[k] for k in np.flatnonzero(self.start == i).tolist()]

        def balance(t: Step) -> Any:
            arriving = sum(c[t] for c in (*inward, *fed)) - sum(c[t] for c in outward)
            return now[t] * pressure[t] - before[t] * pressure[t - 1] - arriving == rest[t]

        f.row(NAME, f"balance_{i}", balance)

    def _declare_law(self, f: Formulation, k: int, pressure: Sequence[Column], flow: Column) -> None:
        """Tie the drop of potential along a pipe to its friction, both along their tangents."""
        upstream, downstream, slope, rest = (f.series(f"{what}_{k}") for what in ("from", "to", "slope", "law"))
        a, b = pressure[int(self.start[k])], pressure[int(self.end[k])]
        f.row(NAME, f"law_{k}", lambda t: upstream[t] * a[t] - downstream[t] * b[t] - slope[t] * flow[t] == rest[t])

    def _declare_end(self, f: Formulation, pressure: Sequence[Column]) -> None:
        """Let the pipes end as full as they began, or pay for what is missing."""
        lacking = f.column(NAME, "lacking_kg", extent=ONCE)
        weights = [f.scalar(f"mass_{i}") for i in range(self.nodes)]
        target, price = f.scalar("mass_target"), f.scalar("lacking_price")
        f.row(
            NAME,
            "end",
            lambda t: sum(w[t] * p[t] for w, p in zip(weights, pressure, strict=True)) + lacking[t] >= target[t],
            at=At.LAST,
        )
        f.cost("gas", NAME, lambda t: price[t] * lacking[t], at=At.LAST)
