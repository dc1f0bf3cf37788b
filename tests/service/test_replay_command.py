"""``jouletwin replay``: bit-equal or said where not, and a fork that counts both sides alike."""

import sqlite3
from datetime import timedelta

import pytest
import xarray as xr
from typer.testing import CliRunner

from scenarios.day import JumpingClock
from scenarios.fork import course_of, dearer, fork
from scenarios.rules import Rule, RulePlanner
from service.cli import app
from tests.service.test_remembering import START, run
from twin.log import LAST, SqliteLog
from twin.replay import replay

MINUTES = 12


@pytest.fixture(scope="module")
def log_file(tmp_path_factory, park):
    path = tmp_path_factory.mktemp("replay") / "log.sqlite"
    run(park, path, JumpingClock(START), MINUTES)
    return path


def jouletwin(*arguments):
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def test_a_window_is_rebuilt_bit_for_bit_and_written_out(log_file, tmp_path):
    out = tmp_path / "window.nc"
    start, end = (START + timedelta(minutes=m) for m in (3, 9))
    done = jouletwin(start.isoformat(), end.isoformat(), "--log", log_file, "--out", out)
    assert done.exit_code == 0, done.output
    assert "6 turns rebuilt" in done.output
    assert "bit-equal" in done.output
    with xr.open_dataset(out) as kept:
        assert kept.power_kw.sizes["time"] == 6


def test_a_log_that_somebody_touched_is_found_out(log_file, tmp_path):
    touched = tmp_path / "log.sqlite"
    touched.write_bytes(log_file.read_bytes())
    with sqlite3.connect(touched) as db:
        first, second = (
            r[0] for r in db.execute("SELECT body FROM records WHERE kind = 'readings' ORDER BY seq LIMIT 2")
        )
        db.execute("UPDATE records SET body = ? WHERE body = ?", (first, second))
    done = jouletwin("--log", touched)
    assert done.exit_code == 1
    assert "differ" in done.output


def test_what_cannot_be_replayed_is_said_in_words(log_file, tmp_path):
    missing = jouletwin("--log", tmp_path / "none.sqlite")
    assert missing.exit_code == 2
    assert "there is no log" in missing.output
    assert "is nobody" in jouletwin("--log", log_file, "--fork", "nobody").output
    assert "no format" in jouletwin("--log", log_file, "--out", tmp_path / "x.txt").output
    late = jouletwin(
        (START + timedelta(days=2)).isoformat(), (START + timedelta(days=3)).isoformat(), "--log", log_file
    )
    assert late.exit_code == 1
    assert "no turn on record" in late.output


def test_a_fork_starts_where_the_past_did_and_both_sides_are_counted_alike(log_file, park):
    log = SqliteLog(log_file, read_only=True)
    moments = tuple(replay(log, park, START, LAST))
    past, other = fork(
        log, park, moments, RulePlanner(park, Rule("price", own_peak_kw=4200.0)), "rule", looks_ahead=False
    )
    assert past.import_kwh > 0
    assert other.import_kwh > 0
    assert set(past.cost) == set(other.cost)
    snapshots = [m.snapshot for m in moments]
    dear = course_of(dearer(park, 2.0), "dear", snapshots)
    assert dear.cost["energy"] == pytest.approx(2.0 * past.cost["energy"])
    assert dear.cost["gas"] == past.cost["gas"]
