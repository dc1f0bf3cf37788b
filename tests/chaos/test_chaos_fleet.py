"""Groups, pulses, leases, ramps, interlocks, function 16 and several devices under faults: a quick slice."""

import hashlib
from datetime import UTC, datetime

import pytest

from hil.bridge.gate import refuse_sum
from hil.bridge.polled import PolledDevice
from hil.faultproxy import Fault, Kind
from hil.maps.load import parse_map
from models.ports import Quality, Reading
from models.site import Device
from tests.chaos.fleet import LIMIT, LIMITS, MAP, Act, FleetPlan, Trouble, draw, run
from tests.chaos.fleet_oracle import violations
from tests.chaos.provoking import HIGH, LOW
from tests.chaos.shrink import readable


def deaf(start_s, end_s, *addresses):
    """Return a spell in which some points say yes and do nothing."""
    return Trouble(0, deaf=addresses, start_s=start_s, end_s=end_s)


@pytest.mark.parametrize("block", range(2))
def test_random_fleets_hold_every_promise(block, tmp_path):
    for seed in range(block * 6, block * 6 + 6):
        plan = draw(seed)
        assert violations(run(plan, tmp_path)) == [], readable(plan)


def test_a_bridge_killed_between_the_record_of_a_group_and_its_first_frame_comes_back(tmp_path):
    plan = FleetPlan(
        seed=1109,
        devices=3,
        fc16=True,
        acts=(
            Act(6.589009388867375, 0, "group", (500, 43, 145, 889, 759, 255)),
            Act(9.993874430404205, 1, "group", (103, 1029, 63, 91, 285, 1380), 20.0),
        ),
        troubles=(Trouble(0, deaf=(36, 35, 34), start_s=5.591977290122449, end_s=10.29938825985965),),
        kills=((7.695579554831545, 1.4526246292349096),),
    )
    assert violations(run(plan, tmp_path)) == []


def test_a_revert_timer_does_not_wait_for_a_slow_pulse(tmp_path):
    plan = FleetPlan(seed=4319, acts=(Act(8.508, 0, "reverting", (251,), 20.0), Act(16.016, 0, "start", (1,), 20.0)))
    assert violations(run(plan, tmp_path)) == []


def test_a_group_that_a_full_disk_tore_gets_its_outcomes(tmp_path):
    act = Act(8.289, 0, "group", (1251, 212, 656, 290, 101, 418), 20.0)
    deaf = Trouble(0, deaf=LIMITS[:2], start_s=6.281, end_s=9.092)
    plan = FleetPlan(seed=500221, acts=(act,), troubles=(deaf,), full_disks=((8.636, 4.961),))
    assert violations(run(plan, tmp_path)) == []


def test_polls_go_on_while_a_device_is_put_right(tmp_path):
    """Six values that a frozen gateway denies take long to put right; that its values stand is found meanwhile."""
    act = Act(9.373, 0, "group", (74, 975, 79, 410, 1202, 82), 20.0)
    frozen = Trouble(0, Fault(Kind.REPLAY, 11.175, 18.843))
    assert violations(run(FleetPlan(seed=300257, framer="rtu", acts=(act,), troubles=(frozen,)), tmp_path)) == []


def test_a_refresh_that_cannot_be_recorded_does_not_stop_the_clock(tmp_path):
    plan = FleetPlan(seed=4069, acts=(Act(5.0, 0, "reverting", (251,)),), full_disks=((6.0, 8.0),))
    assert violations(run(plan, tmp_path)) == []


def test_the_same_seed_leaves_the_same_trace(tmp_path):
    def digest(folder):
        folder.mkdir()
        evidence = run(draw(8), folder)
        return hashlib.sha256(repr((evidence.logs, evidence.receipts)).encode()).hexdigest()

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_guard_of_the_sum_counts_what_may_still_land():
    text = MAP.format(name="two", fc16="false", limits="\n".join(LIMIT.format(k=k, a=LIMITS[k]) for k in (1, 2)))
    found, _ = parse_map(text, "two")
    device = PolledDevice(Device(id="d", asset="d", map="two", port=1), found)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    device.index["limit1_kw"] = Reading("d", "limit1_kw", 1000.0, at, at, Quality.GOOD)
    first = found.point("limit1_kw")
    assert refuse_sum(device, first, 2000.0, lambda p: 1000.0) is None
    assert refuse_sum(device, first, 2000.0, lambda p: 1500.0).code == "refused_limit"
    assert refuse_sum(device, first, 900.0, lambda p: 2900.0) is None
    assert refuse_sum(device, first, 2000.0, lambda p: None).code == "refused_stale"


@pytest.mark.parametrize(
    "plan",
    [
        FleetPlan(
            seed=1001893,
            fc16=True,
            kills=((17.27, 3.19),),
            acts=(Act(16.92, 0, "group", (251, 499, 1473, 153, 84, 81), 6.0),),
            troubles=(Trouble(0, deaf=(34, 35, 36), start_s=13.13, end_s=18.15),),
        ),
        FleetPlan(
            seed=1002139,
            fc16=True,
            power_cuts=((3.8295825142541493, 1.8902959131878962),),
            acts=(
                Act(19.5529383284022, 0, "group", (559, 69, 110, 975, 870, 252), 20.0, "operator"),
                Act(9.452112586401721, 0, "group", (224, 305, 1348, 397, 211, 364), 20.0),
            ),
            leases=((19.286328038627243, 6.9413426371465645, "operator", 0),),
        ),
        FleetPlan(
            seed=1003935,
            fc16=True,
            acts=(Act(21.850186088603756, 0, "group", (108, 74, 348, 694, 361, 785), 90.0),),
            troubles=(Trouble(0, deaf=(32,), start_s=16.511472637047632, end_s=22.75322025552505),),
            leases=((22.893014270411424, 4.015144486130145, "operator", 0),),
        ),
        FleetPlan(
            seed=1006481,
            devices=2,
            framer="rtu",
            fc16=True,
            acts=(Act(21.775459881428777, 1, "reset", (1,), 20.0),),
            troubles=(Trouble(1, Fault(Kind.EXCEPTION, 21.27, 24.71, 0.6, code=4)),),
        ),
        FleetPlan(
            seed=2001183,
            acts=(
                Act(4.150690740363874, 0, "group", (382, 65, 188, 426, 668, 660), 20.0, "operator"),
                Act(28.62214639625403, 0, "group", (1557, 318, 155, 362, 106, 99), 6.0),
            ),
            troubles=(Trouble(0, Fault(Kind.REPLAY, 26.90289243940984, 30.52100711967335)),),
        ),
        FleetPlan(
            seed=1000149,
            framer="rtu",
            troubles=(
                Trouble(0, Fault(Kind.GLUE, 23.952259257062888, 29.199027757918106)),
                Trouble(0, Fault(Kind.EXCEPTION, 21.877103712557776, 28.137137258852174, 0.3, code=10)),
            ),
        ),
        FleetPlan(
            seed=1,
            acts=(Act(3.0, 0, "group", LOW), Act(8.0, 0, "group", HIGH)),
            troubles=(Trouble(0, Fault(Kind.DELAY_REPLY, 7.9, 14.0, 1.0, delay_s=0.2, functions=(6,))),),
            leases=((9.5, 12.0, "operator", 0),),
        ),
        FleetPlan(
            seed=4005629,
            framer="rtu",
            kills=((9.3, 1.63),),
            acts=(
                Act(7.79, 0, "group", (170, 43, 190, 990, 436, 502), 20.0),
                Act(16.51, 0, "group", (305, 289, 659, 116, 953, 213), by="operator"),
            ),
            troubles=(deaf(5.25, 11.22, 35), deaf(11.09, 18.7, 32, 35, 37)),
        ),
        FleetPlan(
            seed=4007357,
            fc16=True,
            acts=(
                Act(18.413437632017256, 0, "released", (323,), 20.0),
                Act(19.290573889085703, 0, "group", (49, 608, 457, 1147, 102, 633), 6.0, "operator"),
                Act(25.910139696489328, 0, "group", (170, 439, 554, 36, 836, 7), 90.0),
            ),
            troubles=(
                deaf(27.945931911883655, 33.0, 33, 35),
                deaf(24.46062381876327, 27.369928024481965, 35, 36),
                Trouble(0, Fault(Kind.BLACK_HOLE, 20.442502924823906, 24.821932964676666, 0.3)),
                Trouble(0, Fault(Kind.DROP_REQUEST, 17.215384142267556, 18.7845362715358, 0.3)),
            ),
        ),
        FleetPlan(
            seed=2,
            acts=(Act(3.0, 0, "group", LOW), Act(12.0, 0, "group", HIGH, by="operator")),
            troubles=(deaf(2.0, 10.0, 35), deaf(4.6, 11.9, 32)),
            leases=((11.0, 8.0, "operator", 0),),
        ),
        FleetPlan(
            seed=3,
            acts=(Act(3.0, 0, "group", LOW), Act(12.0, 0, "group", HIGH, 6.0, "operator")),
            troubles=(deaf(17.5, 22.0, 34),),
            leases=((10.0, 8.0, "operator", 0),),
        ),
        FleetPlan(
            seed=4,
            acts=(Act(3.0, 0, "group", LOW, 6.0), Act(10.0, 0, "group", HIGH, 20.0)),
            troubles=(deaf(9.0, 16.0, 35), deaf(11.4, 31.0, 33)),
        ),
        FleetPlan(
            seed=5,
            acts=(Act(3.0, 0, "group", LOW, 6.0), Act(10.0, 0, "group", HIGH, 6.0)),
            troubles=(deaf(9.0, 12.0, 35), deaf(11.4, 13.0, 33)),
            leases=((13.0, 18.0, "operator", 0),),
        ),
        FleetPlan(
            seed=5000265,
            fc16=True,
            acts=(
                Act(21.69147249822062, 0, "released", (251,)),
                Act(23.385418212045256, 0, "group", (21, 1034, 111, 1165, 250, 47)),
            ),
            troubles=(
                Trouble(0, local=True, start_s=22.66461708130702, end_s=25.521726769159315),
                Trouble(0, Fault(Kind.REPLAY, 22.283067970239422, 28.123757787160514)),
            ),
        ),
        FleetPlan(
            seed=5003641,
            devices=2,
            acts=(Act(7.0, 1, "start", (1,), 6.0), Act(7.47, 1, "reset", (1,), 6.0)),
            leases=((7.88, 7.1, "operator", 1),),
        ),
    ],
    ids=[
        "a group is taken back after its deadline",
        "a group is not taken up again at the last moment",
        "a lease does not bring back what a failed group left behind",
        "a pulse that went wrong on the device is in doubt",
        "a group does not begin on a gateway's memory",
        "an old answer in front of an exception is not the new one",
        "a group gives way to a lease that is taken while it is written",
        "a group goes back to what stood before the half of one, after a kill",
        "a group goes back to what stood before the half of one",
        "what restores a group does not come back over a newer one after a lease",
        "a group that gave way to a lease is taken up again whole or not at all",
        "a group is taken back however long the device is deaf",
        "a group is taken back during a lease",
        "nothing is put right on a gateway's memory",
        "a command that had to wait for another looks for leases again",
    ],
)
def test_what_many_episodes_have_found(plan, tmp_path):
    assert violations(run(plan, tmp_path)) == []
