"""The work behind a billing run of thousands: what the bills of a month would be, to be issued when it is done."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from market.billing import Prepared, SupplyContract
from market.meters import MeterBook
from models.findings import Finding
from service.jobs.requests import Ordered
from service.jobs.results import Tell, kept_json

PREPARED = "prepared.pickle"


class BillsJob(Ordered):
    """A month's bills for some contracts, on what their meters have delivered."""

    kind: Literal["bills"] = "bills"
    year: int
    month: int
    contracts: Annotated[int, Field(description="how many")]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BillsInputs:
    """What bills are made from: contracts with their tariffs, readings (those known at ``as_of`` count), and prices of indices per kWh in micro-units."""

    contracts: Sequence[SupplyContract]
    readings: MeterBook
    as_of: datetime
    index_micro: dict[str, list[int]] = field(default_factory=dict)


def bills(asked: BillsJob, inputs: BillsInputs, folder: Path, tell: Tell) -> str:
    """Make a month's bills; they are issued by whoever asked."""
    import numpy as np

    from market.billing_run import prepare

    def progress(done: int, of: int) -> None:
        tell(done / of, f"{done:,} of {of:,} contracts")

    index = {name: np.array(prices, dtype=np.int64) for name, prices in inputs.index_micro.items()}
    cycle = asked.year, asked.month
    made, wrong = prepare(inputs.contracts, inputs.readings, cycle, inputs.as_of, index_micro=index, progress=progress)
    (folder / PREPARED).write_bytes(pickle.dumps((made, wrong)))
    rows = [{"contract": p.contract.id, "customer": p.contract.customer, "total_micro": p.total_micro} for p in made]
    kept_json({"bills": rows, "findings": [{"place": f.place, "message": f.message} for f in wrong]}, folder)
    return f"{len(made):,} bills can be issued, {len(inputs.contracts) - len(made):,} cannot"


def prepared(folder: Path) -> tuple[list[Prepared], list[Finding]]:
    """Return what a job has made, from its folder."""
    found: tuple[list[Prepared], list[Finding]] = pickle.loads((folder / PREPARED).read_bytes())  # noqa: S301 # the service wrote it, in its own folder
    return found
