"""A quick slice of the chaos suite; ``python -m tests.chaos N`` runs as many episodes as wanted."""

import hashlib

import pytest

from hil.faultproxy import Fault, Kind
from tests.chaos.episode import FRAME_LIFE_S, Plan, Spell, draw, run
from tests.chaos.oracle import violations


@pytest.mark.parametrize("block", range(4))
def test_random_episodes_hold_every_promise(block, tmp_path):
    for seed in range(block * 10, block * 10 + 10):
        plan = draw(seed)
        evidence = run(plan, tmp_path)
        assert violations(evidence) == [], plan


def test_the_same_seed_leaves_the_same_trace(tmp_path):
    def digest(folder):
        folder.mkdir()
        evidence = run(draw(7), folder)
        return hashlib.sha256(repr((evidence.log, evidence.receipts)).encode()).hexdigest()

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_oracle_sees_what_it_is_meant_to_see(tmp_path):
    plan = Plan(seed=1, commands=((2.0, 300.0, 90.0),))
    evidence = run(plan, tmp_path)
    assert violations(evidence) == []
    evidence.log.append((30.0, "bridge", 9000))
    assert {kind for kind, _ in violations(evidence)} >= {"U1", "U3", "H1"}


@pytest.mark.parametrize(
    "kind", [Kind.DROP_REPLY, Kind.DELAY_REQUEST, Kind.RESET, Kind.REPLAY, Kind.CORRUPT, Kind.EXCEPTION]
)
@pytest.mark.parametrize("framer", ["socket", "rtu"])
def test_each_wire_fault_around_a_change_of_value(kind, framer, tmp_path):
    plan = Plan(
        seed=3,
        framer=framer,
        faults=(Fault(kind, 4.0, 12.0, 0.7, delay_s=FRAME_LIFE_S - 0.3, code=6),),
        commands=((3.0, 300.0, 90.0), (5.0, 400.0, 90.0), (8.0, 500.0, 6.0), (11.0, 600.0, 90.0)),
    )
    assert violations(run(plan, tmp_path)) == []


def test_a_bridge_killed_between_frame_and_answer_finds_out_what_happened(tmp_path):
    plan = Plan(
        seed=4,
        faults=(Fault(Kind.DELAY_REPLY, 2.0, 6.0, 1.0, delay_s=0.35),),
        commands=((3.0, 300.0, 90.0),),
        kills=((3.5, 1.0), (5.0, 1.0)),
    )
    assert violations(run(plan, tmp_path)) == []


def test_a_device_that_ignores_then_obeys_never_counts_as_applied_meanwhile(tmp_path):
    plan = Plan(seed=5, spells=(Spell("ignore", 2.0, 10.0),), commands=((3.0, 300.0, 90.0), (14.0, 400.0, 90.0)))
    evidence = run(plan, tmp_path)
    assert violations(evidence) == []
    assert [receipt.code for _, receipt in evidence.receipts] == ["differs", "applied"]


def test_one_damaged_answer_does_not_deny_a_write_that_landed(tmp_path):
    assert violations(run(draw(600154), tmp_path)) == []
