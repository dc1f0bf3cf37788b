"""Every sentence that the domain tells with its facts can be said in Chinese, with the same facts."""

import ast
import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from customers.portraits.customer import Sureness, energy_sentences
from customers.segments.segmentation import segment_words
from models.errors import UnreachableError
from models.findings import warning
from models.told import Told, told, words_of
from service.console.figures import here
from service.sentences import CHINESE, said, segment_in

ROOT = Path(__file__).parents[2]
ROOMS = ("models", "twin", "optimizers", "hil", "market", "customers", "scenarios", "service")


def told_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield key and pattern of every sentence that a module tells; the pattern is "" where it stands in a variable."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "from models.told import" in text else ():
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "told"
            and isinstance(node.args[0], ast.Constant)
        ):
            pattern = node.args[1]
            yield str(node.args[0].value), str(pattern.value) if isinstance(pattern, ast.Constant) else ""


SENTENCES = sorted({s for room in ROOMS for p in (ROOT / room).rglob("*.py") for s in told_in(p)})


def fields(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name}


def test_there_are_sentences_to_say():
    assert len(SENTENCES) > 80


@pytest.mark.parametrize(("key", "pattern"), SENTENCES)
def test_every_sentence_has_a_chinese_pattern_with_no_fact_of_its_own(key, pattern):
    assert key in CHINESE
    if pattern:
        assert fields(CHINESE[key]) <= fields(pattern)


def test_a_sentence_is_a_text_that_survives_copies_and_processes():
    inner = told("electricity", "electricity")
    one = told(
        "beyond", "{kw:.0f} kW of {carrier} planned, its limit is {limit:.0f} kW,", kw=12.4, carrier=inner, limit=10
    )
    for made in (one, copy.deepcopy(one), pickle.loads(pickle.dumps(one)), warning("chp", one).message):  # noqa: S301 - our own bytes
        assert made == "12 kW of electricity planned, its limit is 10 kW,"
        assert said(made, "zh") == "计划电功率 12 kW,限值为 10 kW,"
        assert said(made, "en") == one


def test_what_has_no_facts_is_said_as_it_is():
    assert said("a bare sentence", "zh") == "a bare sentence"
    assert said(Told("quoted", "no such key", {}), "zh") == "quoted"


def test_an_error_keeps_the_facts_it_was_raised_with():
    words = told("no_answer", "{link} gave no answer: {why}", link="plc", why="timed out")
    assert said(words_of(UnreachableError(words)), "zh") == "plc 无应答:timed out"
    assert words_of(UnreachableError("plain")) == "plain"


def test_names_of_segments_are_said_word_by_word_with_their_numeral():
    assert segment_in("working days, evening, weatherproof II", "zh") == "工作日、晚间、不受天气影响 II"
    assert segment_in("working days, evening, weatherproof II", "en") == "working days, evening, weatherproof II"
    assert segment_in("a name of one's own", "zh") == "a name of one's own"
    assert str(segment_words("round the clock, cooled")) == "round the clock, cooled"


def test_a_portrait_is_said_whole_in_chinese():
    names = (
        "annual_kwh",
        "peak_kw",
        "load_factor",
        "base_share",
        "night_share",
        "evening_share",
        "midday_share",
        "peak_hour",
    )
    figures = dict(zip(names, (5e6, 1681.0, 0.34, 0.38, 0.4, 0.7, 1.4, 12.0), strict=True))
    figures |= {"weekend_ratio": 0.4, "summer_ratio": 1.2, "winter_ratio": 1.0, "weather_share": 0.5}
    figures |= {"heating_share": 0.1, "cooling_share": 0.2}
    lines = [said(s, "zh") for s in (*energy_sentences(figures), Sureness(0.99, 0.01, 120).words)]
    assert lines[0] == "年用电 5.00 GWh,平均 571 kW,最大 1,681 kW(负荷率 0.34)"
    assert lines[4] == "随天气变化:每冷 10 K 增加 10%、每热 10 K 增加 20%(可解释同类日差异的 50%)"
    assert not any(word in "".join(lines) for word in (" of ", " the ", "draws"))


def test_every_shipped_case_and_every_kind_of_change_speaks_chinese():
    from scenarios.cases.file import library, load_case
    from service.console.scenarios import kinds_of_changes
    from service.console.vocabulary.cases import CASES, FIELDS, KINDS, PARAMETERS

    shipped = [load_case(name) for name in library()]
    assert set(CASES) == set(library())
    assert {p.title for case in shipped for p in case.parameters.values()} == set(PARAMETERS)
    kinds = kinds_of_changes("zh")
    assert set(KINDS) == set(kinds)
    assert {f["name"] for kind in kinds.values() for f in kind["fields"]} == set(FIELDS)
    assert kinds["outage"]["title"] == "停运"
    assert kinds_of_changes("en")["outage"]["fields"][1]["label"] == "From, h after the start"


def test_instants_and_degrees_are_shown_as_people_of_the_site_read_them():
    text = "water arrives with 47.6 degC, at 2015-07-15 17:15 UTC (once), between 2015-12-31 16:00 UTC and later"
    shown = "water arrives with 47.6 °C, at 2015-07-16 01:15 (once), between 2016-01-01 00:00 and later"
    assert here(text, "Asia/Shanghai") == shown
    assert here("told 12 kW", "Europe/Berlin") == "told 12 kW"
