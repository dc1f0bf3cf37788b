"""A bill as people get it: lines with quantity, price and amount, and where every line comes from; English or Chinese."""

from collections.abc import Mapping, Sequence

from market.billing import Cycle, Entry
from models.tariffs.bill import Line
from models.tariffs.money import KILO, text
from service.reports.document import Document, Grid, Lines, Section, rows_of

WORDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "title": "Electricity bill {month}, {customer}",
        "notice": "contract {contract}, meter {meter}, tariff {tariff}",
        "lines": "Lines",
        "head": ("what", "of", "quantity", "unit", "price", "amount"),
        "total": "total",
        "where": "Where the lines come from",
        "from": "{what}: {count} readings from {start} to {end} (UTC), tariff version {version}, readings {digest}",
        "estimated": "{count} readings were not measured and stand in by a stated rule; a later reading leads to a corrected bill.",
        "measured": "Every reading was measured.",
    },
    "zh": {
        "title": "电费账单 {month}，{customer}",
        "notice": "合同 {contract}，电表 {meter}，电价 {tariff}",
        "lines": "费用明细",
        "head": ("项目", "说明", "数量", "单位", "单价", "金额"),
        "total": "合计",
        "where": "明细依据",
        "from": "{what}：{count} 个读数，{start} 至 {end}（UTC），电价版本 {version}，读数摘要 {digest}",
        "estimated": "其中 {count} 个读数为估算值；收到实测值后将出具更正账单。",
        "measured": "全部读数均为实测值。",
    },
}
SCALED = {"Wh": "kWh", "W": "kW", "VA": "kVA"}
DIGEST_SHOWN = 16


def bill_document(bill: Entry, language: str, notice: str = "") -> Document:
    """Return a bill, or the reversal of one, as a report; its lines sum to its total."""
    words = WORDS[language]
    names = {"contract": bill.contract, "meter": bill.meter, "tariff": bill.tariff}
    title = str(words["title"]).format(month=month_of(bill.cycle), customer=bill.customer)
    told = [str(words["notice"]).format(**names), notice]
    return Document(title, ". ".join(t for t in told if t), language, tuple(_sections(bill, words)))


def month_of(cycle: Cycle) -> str:
    """Return a billing month as people write it."""
    return f"{cycle[0]}-{cycle[1]:02d}"


def _sections(bill: Entry, words: Mapping[str, Sequence[str]]) -> tuple[Section, Section]:
    rows = [_row(line, bill.currency) for line in bill.lines]
    rows.append((str(words["total"]), "", "", "", "", f"{text(bill.total_micro)} {bill.currency}"))
    quality = "estimated" if bill.substituted else "measured"
    sources = [_source(line, str(words["from"])) for line in bill.lines]
    sources.append(str(words[quality]).format(count=bill.substituted))
    head = tuple(words["head"])
    return Section(str(words["lines"]), Grid(head, rows_of(rows))), Section(str(words["where"]), Lines(tuple(sources)))


def _row(line: Line, currency: str) -> tuple[str, ...]:
    quantity, unit = f"{line.quantity}", line.unit
    if unit in SCALED:
        quantity, unit = f"{line.quantity / KILO:,.3f}", SCALED[unit]
    if unit == "micro":
        quantity, unit = text(line.quantity), currency
    price = "" if line.price_micro is None else text(line.price_micro, 6)
    return line.component, line.what, quantity, unit, price, text(line.amount_micro)


def _source(line: Line, words: str) -> str:
    return words.format(
        what=f"{line.component}, {line.what}",
        count=line.intervals,
        start=line.start.isoformat(timespec="minutes"),
        end=line.end.isoformat(timespec="minutes"),
        version=line.version,
        digest=line.readings_sha256[:DIGEST_SHOWN],
    )
