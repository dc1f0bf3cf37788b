"""What a site's networks feel of a program: every port at every step as a sum of columns."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.carriers import Carrier
from models.components import Consumer
from models.security import Floats, Port, Rows
from models.site import Site
from optimizers.blocks.book import Feed
from optimizers.compile.rules import Series
from optimizers.levers import DRAWN, FED, UNSERVED, Extension

Ints = npt.NDArray[np.int64]


class PortMap:
    """What every port is, at every step, in terms of columns: ``matrix @ x + constant``, flattened as (step, port)."""

    def __init__(self, extension: Extension, ports: Sequence[Port]) -> None:
        self._extension, self._case, self._ports = extension, extension.case, tuple(ports)
        self.steps = extension.steps
        self._numbers = {p.key: i for i, p in enumerate(ports)}

    @cached_property
    def parts(self) -> tuple[sparse.csr_array, Floats]:
        """The matrix, shape (step × port, column), and the constant."""
        terms: list[tuple[int, Ints, Floats]] = [*self._of_feeds(), *self._of_levers()]
        shape = (self.steps * len(self._ports), self._extension.columns)
        if not terms:
            return sparse.csr_array(shape), self._constant.ravel()
        every = np.arange(self.steps) * len(self._ports)
        rows = np.concatenate([every + port for port, _, _ in terms])
        columns = np.concatenate([c for _, c, _ in terms])
        factors = np.concatenate([f for _, _, f in terms])
        return sparse.csr_array(sparse.coo_array((factors, (rows, columns)), shape=shape)), self._constant.ravel()

    def at(self, x: Floats) -> Floats:
        """Return the port values of a point, shape (step, port)."""
        matrix, constant = self.parts
        values: Floats = np.asarray(matrix @ x[: matrix.shape[1]] + constant)
        return values.reshape(self.steps, len(self._ports))

    def _of_feeds(self) -> list[tuple[int, Ints, Floats]]:
        """Return (port, columns, factors) of everything that feeds by choice."""
        return [
            (port, self._columns(feed.column.asset, feed.column.quantity), share * self._factor(feed))
            for feed in self._case.compiled.book.feeds
            for port, share in self._touched(feed.asset, feed.carrier)
        ]

    def _of_levers(self) -> list[tuple[int, Ints, Floats]]:
        """Return (port, columns, factors) of reactive power, and of what consumers go without."""
        found = []
        for number, lever in enumerate(self._extension.levers):
            if lever.quantity == UNSERVED:
                touched = self._touched(lever.asset, Carrier.ELECTRICITY)
            else:
                port = self._numbers.get(f"{self._node(lever.asset, Carrier.ELECTRICITY)}.reactive_kvar")
                touched = [] if port is None else [(port, {FED: 1.0, DRAWN: -1.0}[lever.quantity])]
            found += [(p, self._extension.place(number), np.full(self.steps, share)) for p, share in touched]
        return found

    @cached_property
    def _constant(self) -> Floats:
        constant = np.zeros((self.steps, len(self._ports)))
        for draw in self._case.compiled.book.draws:
            for port, share in self._touched(draw.asset, draw.carrier):
                constant[:, port] -= share * self._number(draw.wanted)
        return constant

    def _node(self, asset: str, carrier: Carrier) -> str | None:
        return self._case.facts.problem.site.asset(asset).ports().get(carrier)

    def _touched(self, asset: str, carrier: Carrier) -> list[tuple[int, float]]:
        """Return the ports that a kilowatt of an asset (or of a group of equal ones) moves, and by how much."""
        site, members = self._case.facts.problem.site, asset.split("+")
        found: list[tuple[int, float]] = []
        for member in members:
            node = self._node(member, carrier)
            power = self._numbers.get(f"{node}.power_kw")
            if power is not None:
                found.append((power, 1.0 / len(members)))
            reactive = self._numbers.get(f"{node}.reactive_kvar")
            tan_phi = consumer_tan_phi(site, member, carrier)
            if reactive is not None and tan_phi:
                found.append((reactive, tan_phi / len(members)))
        return found

    def _columns(self, asset: str, quantity: str) -> Ints:
        steps = self._case.compiled.model.column(asset, quantity).steps
        return np.arange(steps.start, steps.stop)

    def _number(self, series: Series) -> Floats:
        return np.broadcast_to(np.asarray(self._case.parameters[series.name], float), (self.steps,))

    def _factor(self, feed: Feed) -> Floats:
        return self._number(feed.factor) if isinstance(feed.factor, Series) else np.full(self.steps, feed.factor)


def consumer_tan_phi(site: Site, asset: str, carrier: Carrier) -> float:
    """Return the reactive power that goes with each kilowatt of a consumer; 0 for everything else."""
    found = site.asset(asset)
    if not isinstance(found, Consumer) or carrier is not Carrier.ELECTRICITY:
        return 0.0
    return next((d.tan_phi for d in found.demands if d.carrier is carrier), 0.0)


def row_terms(rows: Rows, ports: PortMap) -> tuple[sparse.csr_array, Floats]:
    """Return rows over columns: their slopes, shape (row, column), and their values where every column is 0."""
    matrix, constant = ports.parts
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.start))
    where = (rows.step[owner] - rows.lag) * (len(constant) // ports.steps) + rows.port
    over_ports = sparse.csr_array(sparse.coo_array((rows.slope, (owner, where)), shape=(len(rows), len(constant))))
    at_point = np.bincount(owner, weights=rows.slope * rows.point, minlength=len(rows))
    return sparse.csr_array(over_ports @ matrix), rows.value + over_ports @ constant - at_point
