"""A customer's efficiency as a report to hand on: its place among peers, indicators, what a measure saved, measures worth a look."""

from customers.efficiency.assessment import Assessment
from customers.efficiency.verification import Verified
from customers.portraits.customer import Sureness
from service.reports.document import Document, Grid, Lines, Row, Section
from service.sentences import said

WORDS = {
    "en": {
        "title": "Energy report of {name}",
        "notice": "Compared at the same weather, from metered energy.",
        "peers": "Among its peers",
        "segment": "segment: {segment}",
        "feature": "what is compared",
        "value": "figure",
        "rank": "better peers",
        "savings": "What the measure of {since} has saved",
        "indicators": "Energy performance indicators",
        "indicator": "indicator",
        "unit": "unit",
        "hints": "Measures worth a look",
        "upto": "{measure}: {seen}; up to {kwh:,.0f} kWh a year ({share:.0%})",
        "odd": "Days that stand out",
        "sure": "How sure this is",
        "days": "by lines of days: {words}",
        "hours": "by the time of the week: {words}",
    },
    "zh": {
        "title": "{name}用能报告",
        "notice": "依据计量电量,在相同天气条件下比较。",
        "peers": "同类比较",
        "segment": "客户群:{segment}",
        "feature": "比较项",
        "value": "数值",
        "rank": "更优同类占比",
        "savings": "{since} 所实施措施的节能量",
        "indicators": "能源绩效指标",
        "indicator": "指标",
        "unit": "单位",
        "hints": "值得核查的措施",
        "upto": "{measure}:{seen};每年最多 {kwh:,.0f} kWh({share:.0%})",
        "odd": "异常日",
        "sure": "可信程度",
        "days": "按日变点基线:{words}",
        "hours": "按周内时刻与温度基线:{words}",
    },
}


def efficiency_document(
    name: str, made: Assessment, proven: Verified | None, sure: Sureness, language: str
) -> Document:
    """Return the energy report of one customer."""
    w = WORDS[language]
    place = (w["segment"].format(segment=said(made.segment, language)), said(made.words, language), made.drift)
    sections = [Section(w["peers"], Lines(tuple(line for line in place if line)))]
    if made.ranks:
        ranks = [Row((r.feature, f"{r.value:.2f}", f"{r.rank:.0%}")) for r in made.ranks]
        sections.append(Section(w["peers"], Grid((w["feature"], w["value"], w["rank"]), tuple(ranks))))
    if proven is not None:
        sections.append(Section(w["savings"].format(since=proven.since), Lines(_saved(proven, w))))
    rows = tuple(Row((i.name, i.figure, i.unit)) for i in made.indicators)
    sections.append(Section(w["indicators"], Grid((w["indicator"], w["value"], w["unit"]), rows)))
    hints = [
        w["upto"].format(measure=said(h.measure, language), seen=said(h.seen, language), kwh=h.saves_kwh, share=h.share)
        for h in made.hints
    ]
    told = (
        (w["hints"], hints),
        (w["odd"], [d.words for d in made.odd_days]),
        (w["sure"], [said(sure.words, language)]),
    )
    sections += [Section(heading, Lines(tuple(lines))) for heading, lines in told if lines]
    return Document(w["title"].format(name=name), w["notice"], language, tuple(sections))


def _saved(proven: Verified, w: dict[str, str]) -> tuple[str, ...]:
    found = [w["days"].format(words=proven.days.words(0))]
    if proven.hours is not None:
        found.append(w["hours"].format(words=proven.hours.words(0)))
    return (*found, proven.years_words)
