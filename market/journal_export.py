"""The ledger as a journal for accounting systems: one line per entry, debit and credit apart, amounts as decimals."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

from market.ledger import Transaction
from models.horizon import require_utc

FORMULA = ("=", "+", "-", "@")
COLUMNS = (
    "transaction",
    "at_utc",
    "account",
    "debit",
    "credit",
    "currency",
    "text",
    "run",
    "trace",
    "reverses",
    "digest",
)


def journal_csv(transactions: Sequence[Transaction], currency: str) -> str:
    """Return the journal as CSV with a header, six decimals, one line per entry; debits and credits of every transaction are equal."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for t in transactions:
        at = require_utc(t.at).strftime("%Y-%m-%dT%H:%M:%SZ")
        for e in t.entries:
            debit, credit = (_decimal(max(v, 0)) for v in (e.amount_micro, -e.amount_micro))
            # a cell that begins like a formula would be run by a spreadsheet
            texts = [("'" + s if s.startswith(FORMULA) else s) for s in (e.account, t.text, t.run, t.trace)]
            rows.writerow((t.id, at, texts[0], debit, credit, currency, *texts[1:], t.reverses or "", t.digest))
    return out.getvalue()


def _decimal(micro: int) -> str:
    return f"{Decimal(micro).scaleb(-6):.6f}" if micro else ""
