"""Partners' shares of what contracts bring: agreed in millionths, split in whole micro-units, complete to the last one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from customers.fields import STRICT, Day, Name, Ppm, Ref
from customers.lifecycle.contract import Contract
from models.findings import Finding, error
from models.tariffs.money import PPM

US = "us"
"""Who keeps what no partner gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A partner's share of what a contract brings, for periods that begin on ``starts_on`` or later and before ``ends_on``."""

    __pydantic_config__ = STRICT

    contract_id: Ref
    party_id: Ref
    title: Name
    share_ppm: Ppm
    starts_on: Day
    ends_on: Day | None = None

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.starts_on <= day and (self.ends_on is None or day < self.ends_on)


def check_agreement(agreement: Agreement, contract: Contract, others: Iterable[Agreement]) -> Iterator[Finding]:
    """Give what keeps an agreement from standing beside the ``others`` on the same contract."""
    if agreement.ends_on is not None and agreement.ends_on <= agreement.starts_on:
        yield error("ends_on", f"is not behind {agreement.starts_on}, when it begins")
    if agreement.starts_on >= contract.until:
        yield error("starts_on", f"the contract holds until {contract.until}; nothing is left to share then")
    there = [*others, agreement]
    for day in sorted({a.starts_on for a in there}):
        if not agreement.holds(day):
            continue
        whole = sum(a.share_ppm for a in there if a.holds(day))
        if whole > PPM:
            yield error("share_ppm", f"all partners together would get {whole / PPM:.2%} from {day} on")
            return


def split(amount_micro: int, shares_ppm: Mapping[str, int]) -> dict[str, int]:
    """Return who gets how much of an amount: partners by their shares, the rest :data:`US`; the parts sum to the amount.

    Each part is the exact share rounded down, and what that leaves goes, one micro-unit each, to the largest remainders (Hamilton's
    method; among equal ones the first by name). A credit is split like the same amount owed, with the other sign.

    Parameters
    ----------
    amount_micro : micro-units, of either sign
    shares_ppm : millionths by party, >= 0, together at most 1,000,000

    Raises
    ------
    ValueError
        If a share is negative or they are more than the whole.
    """
    ours = PPM - sum(shares_ppm.values())
    if ours < 0 or min(shares_ppm.values(), default=0) < 0 or US in shares_ppm:
        raise ValueError(
            f"shares of {sum(shares_ppm.values())} ppm cannot be split; they are positive and at most {PPM}"
        )
    whole = {**shares_ppm, US: ours}
    sign = -1 if amount_micro < 0 else 1
    exact = {who: abs(amount_micro) * ppm for who, ppm in whole.items()}
    parts = {who: value // PPM for who, value in exact.items()}
    left = abs(amount_micro) - sum(parts.values())
    for who in sorted(whole, key=lambda w: (-(exact[w] % PPM), w))[:left]:
        parts[who] += 1
    return {who: sign * part for who, part in parts.items()}


def shares_on(day: date, agreements: Sequence[Agreement]) -> dict[str, int]:
    """Return the shares, in millionths by party, that agreements give on a day."""
    found: dict[str, int] = {}
    for a in agreements:
        if a.holds(day):
            found[a.party_id] = found.get(a.party_id, 0) + a.share_ppm
    return found
