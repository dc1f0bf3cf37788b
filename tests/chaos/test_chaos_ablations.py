"""Each protective rule, switched off: the oracle has to see its class, or the rule is untested."""

import pytest

from models.ports import Outcome
from tests.chaos.ablations import RULES, shrunk_to_what_matters

SEEDS = range(2)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_without_the_rule_its_class_appears_and_with_it_none(rule, tmp_path):
    assert rule.seen(SEEDS, tmp_path) == [set()] * len(SEEDS)
    assert any(rule.classes & found for found in rule.seen_without(SEEDS, tmp_path))


def test_a_failing_plan_shrinks_to_what_matters(tmp_path):
    small, runs, words = shrunk_to_what_matters(tmp_path)
    assert (small.troubles, small.kills, len(small.acts)) == ((), (), 2)
    assert runs <= 12
    assert words.count("\n") == 2


def test_outcomes_are_three_valued():
    assert {o.value for o in Outcome} == {"applied", "no", "maybe"}
