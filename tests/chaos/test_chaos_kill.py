"""Bridge, device and service killed for real (SIGKILL) at a few random instants; ``python -m tests.chaos kill 200`` takes more of them."""

from tests.chaos import kills, service_kills


def test_killed_processes_lose_nothing_and_apply_nothing_twice(tmp_path):
    killed = kills.run(6, tmp_path)
    assert killed.found == [] or killed.older, killed
    assert sum(killed.kills.values()) == 6
    assert killed.landed
    assert len(killed.ages) == killed.landed


def test_a_killed_service_keeps_its_word_and_brings_every_device_back(tmp_path):
    """What a client was told stays true, every frame has its record, and the log is rebuilt across the kill."""
    deaths = service_kills.run(1, tmp_path, seed=2)
    assert deaths.found == []
    assert deaths.kills == {"working": 1}
    assert deaths.told
    assert len(deaths.ages) > deaths.commands
