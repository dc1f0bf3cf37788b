"""A quick slice of the chaos suite; ``python -m tests.chaos N`` runs as many episodes as wanted."""

import hashlib

import pytest

from hil.faultproxy import Fault, Kind
from tests.chaos.episode import SETPOINT, Plan, Spell, draw, run
from tests.chaos.life import FRAME_LIFE_S
from tests.chaos.oracle import target_recovery_s, violations
from tests.chaos.shrink import readable


@pytest.mark.parametrize("block", range(4))
def test_random_episodes_hold_every_promise(block, tmp_path):
    for seed in range(block * 10, block * 10 + 10):
        plan = draw(seed)
        assert violations(run(plan, tmp_path)) == [], readable(plan)


def test_the_same_seed_leaves_the_same_trace(tmp_path):
    def digest(folder):
        folder.mkdir()
        evidence = run(draw(7), folder)
        return hashlib.sha256(repr((evidence.logs, evidence.receipts)).encode()).hexdigest()

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_oracle_sees_what_it_is_meant_to_see(tmp_path):
    plan = Plan(seed=1, commands=((2.0, 300.0, 90.0),))
    evidence = run(plan, tmp_path)
    assert violations(evidence) == []
    evidence.logs[0].append((30.0, "bridge", SETPOINT, 9000))
    assert {kind for kind, _ in violations(evidence)} >= {"U1", "U3", "H1"}


@pytest.mark.parametrize(
    "kind", [Kind.DROP_REPLY, Kind.DELAY_REQUEST, Kind.RESET, Kind.REPLAY, Kind.CORRUPT, Kind.EXCEPTION, Kind.GLUE]
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
    evidence = run(plan, tmp_path)
    assert violations(evidence) == []
    assert target_recovery_s(evidence) <= FRAME_LIFE_S + 1.0


def test_a_device_that_ignores_then_obeys_never_counts_as_applied_meanwhile(tmp_path):
    plan = Plan(seed=5, spells=(Spell("ignore", 2.0, 10.0),), commands=((3.0, 300.0, 90.0), (14.0, 400.0, 90.0)))
    evidence = run(plan, tmp_path)
    assert violations(evidence) == []
    assert [receipt.code for _, receipt in evidence.receipts] == ["differs", "applied"]


def test_one_damaged_answer_does_not_deny_a_write_that_landed(tmp_path):
    plan = Plan(
        seed=600154,
        framer="rtu",
        faults=(
            Fault(Kind.CORRUPT, 1.64, 8.235, 0.3),
            Fault(Kind.REFUSE, 15.459, 17.141, 0.6),
            Fault(Kind.RESET, 20.485, 24.592, 1.0),
        ),
        masters=((21.054, 2000), (2.275, 2001)),
        commands=((4.666, 261.3, 90.0), (5.53, 367.1, 12.0), (8.758, 574.4, 12.0), (3.187, 480.7, 90.0)),
        kills=((29.048, 1.594),),
    )
    assert violations(run(plan, tmp_path)) == []


def test_blocks_read_before_an_outage_do_not_count_as_good_after_it(tmp_path):
    """One block is read again while the block with the heartbeat still waits for its turn."""
    plan = Plan(
        seed=3134,
        faults=(
            Fault(Kind.WRONG_TRANSACTION, 20.083, 24.626, 0.3),
            Fault(Kind.DELAY_REPLY, 23.295, 24.552, 0.6, delay_s=0.35),
            Fault(Kind.REFUSE, 18.635, 27.121, 0.3),
        ),
        power_cuts=((15.633, 1.819),),
    )
    assert violations(run(plan, tmp_path)) == []


def test_a_device_that_says_busy_is_not_asked_in_one_go(tmp_path):
    busy = Fault(Kind.EXCEPTION, 4.0, 9.0, 1.0, code=5)
    evidence = run(Plan(seed=20096, faults=(busy,), commands=((3.9, 300.0, 90.0), (4.05, 400.0, 90.0))), tmp_path)
    assert violations(evidence) == []
    assert evidence.injected[Kind.EXCEPTION] < 120


def test_a_heartbeat_that_stands_between_outages_is_found(tmp_path):
    plan = Plan(
        seed=10124,
        faults=(
            Fault(Kind.REPLAY, 20.627, 29.094),
            Fault(Kind.REFUSE, 22.626, 31.277, 0.6),
            Fault(Kind.WRONG_TRANSACTION, 22.337, 31.089, 0.3),
        ),
        steps=(294.8, 402.6, 258.9, 418.7),
    )
    assert violations(run(plan, tmp_path)) == []


def test_a_heartbeat_that_goes_back_to_an_old_value_is_not_a_living_one(tmp_path):
    faults = (Fault(Kind.TRUNCATE, 3.95, 7.08, 0.6), Fault(Kind.REPLAY, 2.31, 9.63, 0.6))
    evidence = run(Plan(seed=5009438, faults=faults), tmp_path)
    assert violations(evidence) == []
    beats = [beat for _, _, _, beat in evidence.accepted]
    assert beats == sorted(beats)


@pytest.mark.parametrize(
    "hardship",
    [
        {"power_cuts": ((6.0, 1.0),)},
        {"full_disks": ((4.5, 4.0),)},
        {"jumps": ((6.0, -3600.0), (12.0, 7200.0))},
        {"rivals": (4.0, 6.5)},
        {"kills": ((6.0, 2.0),), "jumps": ((7.0, 3600.0),), "full_disks": ((7.5, 2.0),)},
    ],
    ids=lambda hardship: " and ".join(hardship),
)
def test_what_happens_to_the_bridge_itself(hardship, tmp_path):
    scheduled = Plan(seed=6, steps=(200.0, 300.0, 400.0, 500.0, 600.0, 250.0, 350.0, 450.0, 550.0), **hardship)
    commanded = Plan(seed=7, commands=((3.0, 300.0, 90.0), (5.0, 400.0, 90.0), (7.0, 500.0, 12.0)), **hardship)
    assert violations(run(scheduled, tmp_path)) == []
    assert violations(run(commanded, tmp_path)) == []


def test_a_full_disk_refuses_commands_in_words_and_reading_goes_on(tmp_path):
    evidence = run(Plan(seed=8, full_disks=((4.0, 6.0),), commands=((5.0, 300.0, 90.0), (12.0, 400.0, 90.0))), tmp_path)
    first, second = [receipt for _, receipt in evidence.receipts]
    assert (first.code, second.code) == ("refused_journal", "applied")
    assert "the journal cannot be written" in first.message
    assert sum(4.0 < at < 10.0 for at, _, _, _ in evidence.accepted) > 5
    assert violations(evidence) == []
