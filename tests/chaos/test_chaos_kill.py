"""Bridge and device killed for real (SIGKILL) at a few random instants; ``python -m tests.chaos kill 200`` takes more of them."""

from tests.chaos import kills


def test_killed_processes_lose_nothing_and_apply_nothing_twice(tmp_path):
    killed = kills.run(6, tmp_path)
    assert killed.found == [] or killed.older, killed
    assert sum(killed.kills.values()) == 6
    assert killed.landed
    assert len(killed.ages) == killed.landed
