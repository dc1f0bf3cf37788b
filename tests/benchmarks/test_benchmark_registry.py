import json
import sys
from pathlib import Path

import pytest

from benchmarks import registry
from benchmarks.__main__ import main
from benchmarks.measure import Timed, measure_pair
from benchmarks.process import run_process
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_least, ratio_at_most, row, value_at_most

ROOT = Path(__file__).parents[2]


@pytest.fixture
def phases(monkeypatch):
    """An empty registry, so that a test runs only the phases that it registers."""
    fresh = {name: [] for name in registry.NAMES}
    monkeypatch.setattr(registry, "PHASES", fresh)
    monkeypatch.setattr("benchmarks.__main__.discover", lambda: fresh)
    return fresh


def test_two_ways_are_measured_in_turn_after_one_warm_up_each():
    order = []
    pair = measure_pair(lambda: order.append("A"), lambda: order.append("B"), repeats=5)
    assert "".join(order) == "AB" + "AB" * 5
    assert len(pair.ours_s) == len(pair.reference_s) == 5


def test_seconds_that_a_function_measured_itself_are_taken_over():
    pair = measure_pair(lambda: Timed(3.0), lambda: Timed(2.0), repeats=3)
    assert pair.ours_median_s / pair.reference_median_s == 1.5


@pytest.mark.parametrize(
    ("value", "reference", "target", "met"),
    [
        (14.0, 10.0, ratio_at_most(1.4), True),
        (14.1, 10.0, ratio_at_most(1.4), False),
        (90.0, None, value_at_most(90), True),
        (50.0, 10.0, ratio_at_least(10), False),
        (1.0, None, ratio_at_most(2), False),
    ],
)
def test_a_row_is_judged_by_value_or_by_ratio(value, reference, target, met):
    assert row("day_ahead", "solve", value, "s", reference=reference, target=target).met is met


def test_a_run_prints_the_table_writes_the_rows_and_fails_on_a_missed_target(phases, tmp_path, capsys):
    @case("bridge", "cycle", size=7)
    def cycle(bench: Bench):
        yield bench.figure(bench.size, "reads", target=value_at_most(7))
        yield bench.figure(bench.size + 1, "reads", target=value_at_most(7), phase="one too many")

    file = tmp_path / "rows.json"
    assert main(["run", "bridge", "--json", str(file)]) == 1
    assert "missed: bridge, one too many: 8 reads, target ≤ 7 reads" in capsys.readouterr().out
    rows = json.loads(file.read_text())
    assert [r["met"] for r in rows] == [True, False]
    assert rows[0]["command"] == "python -m benchmarks run bridge"
    assert set(rows[0]) == {
        "case", "phase", "value", "unit", "reference", "ratio", "target", "met", "command", "versions"
    }  # fmt: skip


def test_a_quick_run_uses_the_small_size_and_is_never_judged(phases):
    sizes = []

    @case("bridge", "cycle", size=1000, quick_size=2)
    def cycle(bench: Bench) -> Row:
        sizes.append((bench.size, bench.repeats))
        return bench.figure(1.0, "s", target=value_at_most(0))

    assert main(["run", "bridge", "--quick"]) == 0
    assert sizes == [(2, 1)]


def test_a_phase_that_breaks_fails_the_run_and_leaves_the_others_their_turn(phases, capsys):
    @case("bridge", "breaks")
    def breaks(bench: Bench) -> Row:
        raise OSError("no such device")

    @case("bridge", "works")
    def works(bench: Bench) -> Row:
        return bench.figure(1.0, "s")

    assert main(["run", "bridge", "--quick"]) == 1
    printed = capsys.readouterr().out
    assert "broken: bridge, breaks: OSError: no such device" in printed
    assert "figures: 1, with a target: 0, missed: 0, phases broken: 1" in printed


def test_a_name_without_phases_is_said_to_be_not_yet_measured(phases, capsys):
    assert main(["run", "market"]) == 0
    assert "market: not yet" in capsys.readouterr().out


def test_a_case_under_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no benchmark is called 'dayahead'"):
        case("dayahead", "solve")


def test_every_module_of_the_folder_registers_phases():
    machinery = {f"{m}.py" for m in registry.MACHINERY} | {"__init__.py"}
    cases = {p.name for p in (ROOT / "benchmarks").glob("*.py")} - machinery
    known = registry.discover()
    homes = {Path(p.work.__code__.co_filename).name for found in known.values() for p in found}
    assert cases <= homes


def test_a_program_is_measured_with_the_memory_of_its_children():
    child = "import time; held = bytearray(80_000_000); time.sleep(0.8)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('done')"
    run = run_process([sys.executable, "-c", parent], cwd=ROOT, timeout_s=30)
    assert run.exit_code == 0
    assert run.output.strip() == "done"
    assert run.peak_mb > 75
