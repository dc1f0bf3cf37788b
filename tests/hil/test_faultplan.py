import asyncio

import pytest

from hil.codec import encode
from hil.faultacts import ActKind, PlannedAct, carry_out, write_register
from hil.faultplan import FaultPlanError, load_plan, parse_plan, proxy_of
from hil.faultproxy import Fault, FaultProxy, Kind
from hil.maps import load_map
from hil.probe import try_map
from models.errors import PlantError
from models.findings import Severity

RIGHT = """
format: jouletwin-faults/1
device: 127.0.0.1
port: 1502
seconds: 60
seed: 3
faults:
  - {kind: drop_reply, start_s: 5, end_s: 20, share: 0.3}
  - {kind: delay_reply, delay_s: 0.4, functions: [3]}
"""


def test_a_right_plan_becomes_a_proxy_with_its_faults():
    plan, findings = parse_plan(RIGHT, "plan.yaml")
    assert findings == ()
    assert [(f.kind, f.start_s, f.end_s) for f in proxy_of(plan).faults] == [
        (Kind.DROP_REPLY, 5, 20),
        (Kind.DELAY_REPLY, 0, 60),
    ]


@pytest.mark.parametrize(
    ("wrong", "place", "words"),
    [
        (("kind: drop_reply", "kind: drop_tea"), "faults[0] drop_tea.kind", "drop_request"),
        (("share: 0.3", "share: 3"), "faults[0] drop_reply.share", "less than or equal to 1"),
        (("end_s: 20", "end_s: 2"), "faults[0] drop_reply.end_s", "before it starts"),
        (("start_s: 5, end_s: 20", "start_s: 61"), "faults[0] drop_reply.start_s", "the plan ends at 60 s"),
        (("delay_s: 0.4, ", ""), "faults[1] delay_reply.delay_s", "say how late"),
        (("[3]", "[99]"), "faults[1] delay_reply.functions", "no Modbus function"),
        (("127.0.0.1", "10.0.0.7"), "plan.yaml.device", "is not this machine"),
        (("seconds: 60", "seconds: 60\nlisten: 0.0.0.0"), "plan.yaml.listen", "is not this machine"),
        (("seconds: 60", "seconds: 60\nlisten_port: 1502"), "plan.yaml.listen_port", "listen elsewhere"),
        (("seconds: 60", "seconds: forever"), "plan.yaml.seconds", "has to be a number"),
        (("seconds: 60", "seconds: 60\ncolour: red"), "plan.yaml.colour", "no such field"),
        (("seconds: 60\n", ""), "plan.yaml.seconds", "missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(wrong, place, words):
    _, findings = parse_plan(RIGHT.replace(*wrong), "plan.yaml")
    assert [f for f in findings if place in f.place and words in f.message], [str(f) for f in findings]


def test_every_problem_is_told_at_once(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(
        RIGHT.replace("end_s: 20", "end_s: 2").replace("delay_s: 0.4, ", "").replace("127.0.0.1", "10.0.0.7")
    )
    with pytest.raises(FaultPlanError) as told:
        load_plan(path)
    assert len(told.value.findings) == 3


def test_other_machines_are_reached_only_on_purpose():
    _, findings = parse_plan(RIGHT.replace("127.0.0.1", "10.0.0.7"), "plan.yaml", beyond_this_machine=True)
    assert [f for f in findings if f.severity is Severity.ERROR] == []


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FaultPlanError, match="cannot be read"):
        load_plan(tmp_path / "nowhere.yaml")


def test_a_planned_fault_strikes_who_goes_through_the_proxy(bench):
    async def scenario():
        scripted, found = await bench.add("chp")
        for k, word in enumerate(encode(found.point("heat_kw"), 300.0)):
            scripted.tables[3][found.point("heat_kw").address + k] = word
        late_alone = RIGHT.replace("  - {kind: drop_reply, start_s: 5, end_s: 20, share: 0.3}\n", "")
        plan, _ = parse_plan(late_alone.replace("1502", str(bench.ports["chp"])), "plan.yaml")
        proxy = proxy_of(plan)
        port = await proxy.start()
        with pytest.raises(PlantError):
            await try_map(load_map("gas_engine_chp"), "127.0.0.1", port, timeout_s=0.1)
        await proxy.stop()
        await scripted.stop()
        return proxy.injected

    assert asyncio.run(scenario())[Kind.DELAY_REPLY] >= 1


def test_acts_happen_in_their_time_and_say_what_was_done(bench, tmp_path):
    async def scenario():
        scripted, _ = await bench.add("chp")
        sleeper = await asyncio.create_subprocess_exec("sleep", "60")
        (tmp_path / "pid").write_text(f"{sleeper.pid}\n")
        acts = (
            PlannedAct(kind=ActKind.SET_CLOCK, at_s=0.03, clock_file=str(tmp_path / "clock"), by_s=-3600.0),
            PlannedAct(kind=ActKind.OTHER_MASTER, at_s=0.01, address=0x4102, value=2500),
            PlannedAct(kind=ActKind.KILL, at_s=0.02, pid_file=str(tmp_path / "pid")),
            PlannedAct(kind=ActKind.KILL, at_s=0.04, pid_file=str(tmp_path / "nowhere")),
        )
        told = [words async for words in carry_out(acts, ("127.0.0.1", bench.ports["chp"]), "socket")]
        ended = await asyncio.wait_for(sleeper.wait(), 5)
        await scripted.stop()
        return told, ended, scripted

    told, ended, scripted = asyncio.run(scenario())
    assert scripted.writes == [(6, 0x4102, (2500,))]
    assert ended == -9
    assert (tmp_path / "clock").read_text() == "-3600\n"
    assert ["another master wrote 2500" in told[0], "was killed" in told[1], "set by -3600 s" in told[2]] == [True] * 3
    assert "kill failed" in told[3]


def test_acts_without_what_they_need_are_found_at_once():
    text = RIGHT + "acts:\n  - {kind: kill, at_s: 5}\n  - {kind: other_master, at_s: 90, address: 3}\n"
    _, findings = parse_plan(text, "plan.yaml")
    assert [f.place for f in findings] == [
        "plan.yaml.acts[0] kill.pid_file",
        "plan.yaml.acts[1] other_master.value",
        "plan.yaml.acts[1] other_master.at_s",
    ]


def test_a_device_that_clamps_or_ignores_says_yes(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        port = bench.ports["chp"]
        faults = [Fault(Kind.CLAMP, 0.0, 0.5, most=1000), Fault(Kind.IGNORE, 1.0, 60.0)]
        proxy = FaultProxy("127.0.0.1", port, faults)
        there = ("127.0.0.1", await proxy.start())
        await write_register(there, "socket", 1, 0x4102, 3000)
        clamped = scripted.tables[3][0x4102]
        await asyncio.sleep(1.0)
        await write_register(there, "socket", 1, 0x4102, 500)
        await proxy.stop()
        await scripted.stop()
        return clamped, scripted.tables[3][0x4102], proxy.injected

    clamped, after, injected = asyncio.run(scenario())
    assert (clamped, after) == (1000, 1000)
    assert injected == {Kind.CLAMP: 1, Kind.IGNORE: 1}
