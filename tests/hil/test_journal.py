import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge
from hil.clocks import RealClock
from hil.frames import WriteFrame
from hil.journal import GroupMember, Journal, JournalError, OpenGroup
from models.errors import SetupError
from models.ports import Command, Outcome, Quality, Receipt

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRAME = WriteFrame(1, 6, 0x4102, (3500,))


def command(name="c", value=350.0, at=NOON, seconds=900):
    return Command(name, "chp", "setpoint_kw", value, at, "planner", at + timedelta(seconds=seconds), "plan 7")


def test_a_repeated_command_keeps_its_epoch_and_later_ones_rise():
    journal = Journal(None)
    assert [journal.accept(command(n), NOON) for n in ("a", "b", "a")] == [1, 2, 1]
    assert journal.renew("a") == 3


def test_an_outcome_survives_the_file_and_a_better_one_replaces_it(tmp_path):
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    journal.accept(command(), NOON)
    journal.outcome(Receipt(command(), Outcome.MAYBE, "unknown", "no answer", NOON))
    journal.outcome(Receipt(command(), Outcome.APPLIED, "applied", "reads 350", NOON, 350.0))
    journal.close()
    again = Journal(path)
    found = again.receipt_of(command())
    again.close()
    assert (found.outcome, found.read_back, found.at) == (Outcome.APPLIED, 350.0, NOON)


def test_only_the_newest_command_of_a_point_that_was_sent_is_taken_up_again():
    journal = Journal(None)
    for name in ("old", "new", "never_sent", "over"):
        wanted = command(name, seconds=-1 if name == "over" else 900)
        epoch = journal.accept(wanted, NOON)
        if name in ("old", "new"):
            journal.attempt(wanted, epoch, FRAME, NOON)
    assert [(o.command.id, o.command.plan_id) for o in journal.unresolved(NOON)] == [("new", "plan 7")]


def test_what_a_dead_bridge_left_open_gets_an_honest_outcome():
    journal = Journal(None)
    journal.attempt(command("tried"), journal.accept(command("tried"), NOON), FRAME, NOON)
    journal.accept(command("not_tried"), NOON)
    assert journal.close_orphans(NOON) == 2
    assert journal.receipt_of(command("tried")).outcome is Outcome.MAYBE
    assert journal.receipt_of(command("not_tried")).outcome is Outcome.NO


def test_writes_are_counted_against_the_registers_budget():
    journal = Journal(None)
    epoch = journal.accept(command(), NOON)
    for k in range(3):
        journal.attempt(command(), epoch, FRAME, NOON + timedelta(hours=k))
    assert journal.writes_since("chp", FRAME.address, NOON + timedelta(minutes=30)) == 2


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"the journal .* cannot be written"):
        Journal(tmp_path / "file" / "j.sqlite")


def test_a_full_disk_refuses_commands_and_reading_goes_on(bench, tmp_path):
    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)
        async with Bridge(bench.site, RealClock(), tmp_path / "j.sqlite") as bridge:
            pages = bridge.journal.rows("PRAGMA page_count")[0][0]
            bridge.journal.rows(f"PRAGMA max_page_count = {pages}")
            now = datetime.now(UTC)
            receipts = []
            for k in range(60):  # until what is left in the last pages is used up
                receipts.append(await bridge.write(command(f"{k}" + "x" * 400, 200.0 + k, now)))
                if receipts[-1].code == "refused_journal":
                    break
            sent = len(scripted.writes)
            await asyncio.sleep(0.3)
            quality = bridge.quality("chp")
            later = len(scripted.writes)
        await scripted.stop()
        return receipts[-1], quality, sent, later

    last, quality, sent, later = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert (last.outcome, last.code) == (Outcome.NO, "refused_journal")
    assert "disk is full" in last.message
    assert quality is Quality.GOOD
    assert later == sent


def test_nothing_is_recorded_by_halves():
    journal = Journal(None)
    journal.accept(command(), NOON)
    journal.rows("DROP TABLE outcomes")
    with pytest.raises(JournalError, match="no command is carried out"):
        journal.outcome(Receipt(command(), Outcome.NO, "x", "x", NOON))
    journal.event("c", NOON, "sent")
    assert journal.rows("SELECT state FROM events") == [("sent",)]


def test_old_commands_go_and_what_is_unproven_or_may_still_stand_never_does():
    journal = Journal(None)
    long_ago, lately = NOON - timedelta(days=500), NOON - timedelta(days=5)

    def recorded(name, at, outcome=Outcome.APPLIED, quantity="setpoint_kw"):
        wanted = Command(name, "chp", quantity, 350.0, at, "planner", at + timedelta(seconds=900))
        journal.attempt(wanted, journal.accept(wanted, at), FRAME, at)
        journal.event(name, at, "confirmed")
        if outcome is not None:
            journal.outcome(Receipt(wanted, outcome, "x", "", at))

    recorded("over", long_ago)
    recorded("unproven", long_ago, Outcome.MAYBE)
    recorded("open", long_ago, None)
    recorded("of an open group", long_ago)
    journal.open_group(
        OpenGroup("g", "chp", (GroupMember("of an open group", "setpoint_kw", 0.0, long_ago),)), long_ago
    )
    recorded("written again lately", long_ago)
    journal.attempt(command("written again lately"), 5, FRAME, lately)
    recorded("lately", lately)
    recorded("newest of its point", long_ago, quantity="mode")
    journal.outcome(Receipt(command("refused"), Outcome.NO, "refused_limit", "", long_ago))
    journal.event("refused", long_ago, "refused")
    journal.event("lease/op", long_ago, "granted")
    before = NOON - timedelta(days=400)
    assert journal.forget(before) == 2
    assert journal.forget(before) == 0
    left = {row[0] for row in journal.rows("SELECT id FROM commands")}
    assert left == {"unproven", "open", "of an open group", "written again lately", "lately", "newest of its point"}
    named = journal.rows(
        "SELECT command FROM attempts UNION SELECT command FROM events UNION SELECT command FROM outcomes"
    )
    assert {row[0] for row in named} == left
    assert journal.accept(command("next"), NOON) == 8
