"""Alarms: one per cause, a life in the states of ISA-18.2, and a flood that does not drown the operator."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.alarms import AlarmAct, AlarmBook, AlarmState, Priority

AT = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def book():
    told = []
    return AlarmBook(told.append), told


def test_a_cause_noticed_a_hundred_times_is_one_alarm_with_the_newest_words():
    alarms, told = book()
    for k in range(100):
        alarms.raise_("device", "battery", Priority.HIGH, f"lost for {k} s", AT + k * timedelta(seconds=1))
    (alarm,) = alarms.standing()
    assert (alarm.message, alarm.times, alarm.raised_at) == ("lost for 99 s", 1, AT)
    assert [c.act for c in told] == [AlarmAct.RAISED]


def test_seen_then_over_leaves_the_list_and_over_then_seen_does_too():
    alarms, told = book()
    alarms.raise_("device", "a", Priority.HIGH, "lost", AT)
    alarms.raise_("device", "b", Priority.HIGH, "lost", AT)
    first, second = (next(a for a in alarms.standing() if a.place == p) for p in "ab")
    alarms.acknowledge(first.id, "li", AT + MINUTE)
    alarms.clear("device", "a", AT + 2 * MINUTE)
    alarms.clear("device", "b", AT + 2 * MINUTE)
    (left,) = alarms.standing()
    assert (left.place, left.state, left.active) == ("b", AlarmState.RETURNED, False)
    alarms.acknowledge(second.id, "li", AT + 3 * MINUTE)
    assert alarms.standing() == ()
    assert [c.act.value for c in told] == ["raised", "raised", "acknowledged", "gone", "returned", "gone"]


def test_a_returned_alarm_that_comes_again_is_the_same_alarm_and_counts_up():
    alarms, _ = book()
    for k in range(3):
        alarms.raise_("device", "a", Priority.HIGH, "lost", AT + k * MINUTE)
        alarms.clear("device", "a", AT + k * MINUTE)
    (alarm,) = alarms.standing()
    assert (alarm.times, alarm.state) == (3, AlarmState.RETURNED)


def test_a_shelved_alarm_comes_back_when_its_time_is_over_only_if_the_cause_is_still_there():
    alarms, _ = book()
    for place in "ab":
        alarms.raise_("sensor", place, Priority.MEDIUM, "does not fit", AT)
    for alarm in alarms.standing():
        alarms.shelve(alarm.id, "li", AT + 60 * MINUTE, AT)
    alarms.clear("sensor", "b", AT + 10 * MINUTE)
    alarms.raise_("sensor", "a", Priority.MEDIUM, "still does not fit", AT + 10 * MINUTE)
    assert {a.state for a in alarms.standing()} == {AlarmState.SHELVED}
    alarms.tick(AT + 60 * MINUTE)
    (back,) = alarms.standing()
    assert (back.place, back.state, back.message) == ("a", AlarmState.UNACKNOWLEDGED, "still does not fit")


def test_an_alarm_is_shelved_for_a_shift_at_most_and_never_into_the_past():
    alarms, _ = book()
    alarms.raise_("sensor", "a", Priority.LOW, "does not fit", AT)
    (alarm,) = alarms.standing()
    for until in (AT, AT + timedelta(hours=13)):
        with pytest.raises(ValueError, match="12 h"):
            alarms.shelve(alarm.id, "li", until, AT)
    with pytest.raises(KeyError):
        alarms.acknowledge(99, "li", AT)


def test_in_a_flood_low_alarms_wait_quietly_and_high_ones_do_not():
    alarms, _ = book()
    for k in range(11):
        alarms.raise_("device", f"d{k}", Priority.MEDIUM, "lost", AT)
    assert alarms.flooded
    alarms.raise_("plan", "x", Priority.LOW, "late", AT + MINUTE)
    alarms.raise_("device", "y", Priority.HIGH, "lost", AT + MINUTE)
    quiet = {a.place: a.quiet for a in alarms.standing()}
    assert quiet["x"]
    assert not quiet["y"]
    alarms.tick(AT + 30 * MINUTE)
    assert not alarms.flooded
    assert not any(a.quiet for a in alarms.standing())


ACTS = st.lists(
    st.tuples(st.sampled_from(("raise", "clear", "acknowledge", "shelve", "unshelve", "tick")), st.sampled_from("abc")),
    max_size=60,
)


@given(ACTS)
def test_whatever_happens_an_alarm_stands_for_every_cause_that_is_there_and_no_state_contradicts_itself(acts):
    alarms, _ = book()
    there = set()
    for k, (act, place) in enumerate(acts):
        at = AT + k * MINUTE
        known = next((a for a in alarms.standing() if a.place == place), None)
        if act == "raise":
            alarms.raise_("s", place, Priority.LOW, "is there", at)
            there.add(place)
        elif act == "clear":
            alarms.clear("s", place, at)
            there.discard(place)
        elif act == "tick":
            alarms.tick(at)
        elif known is not None and act == "shelve":
            alarms.shelve(known.id, "li", at + 5 * MINUTE, at)
        elif known is not None:
            getattr(alarms, act)(known.id, "li", at)
        standing = alarms.standing()
        assert len({a.place for a in standing}) == len(standing)
        assert {a.place for a in standing if a.active} == there
        assert all(a.active for a in standing if a.state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED))
        assert not any(a.active for a in standing if a.state is AlarmState.RETURNED)
