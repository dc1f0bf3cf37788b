"""Results as files: refused in one line before the work begins, and nothing is left behind where none was written."""

from datetime import date

import pytest

from models.errors import SetupError
from scenarios.sites import park_path
from service.commands.dispatch import plan_day
from service.commands.files import require_writable, write_as
from service.day_plan import DayAsked

TEXT = {".txt": lambda words, path: path.write_text(words)}


def test_a_file_that_cannot_be_written_is_told_with_place_and_way_on(tmp_path):
    with pytest.raises(SetupError, match=r"nowhere/x\.json cannot be written: No such file .* with --json"):
        require_writable(tmp_path / "nowhere" / "x.json", option="--json")
    with pytest.raises(SetupError, match="Is a directory"):
        require_writable(tmp_path)
    with pytest.raises(SetupError, match=r"no format for this ending; use one of \.txt"):
        write_as(TEXT, "words", tmp_path / "x.docx")


def test_asking_leaves_files_as_they_are(tmp_path):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("kept")
    for path in (old, new, None):
        require_writable(path, TEXT)
    assert old.read_text() == "kept"
    assert not new.exists()
    write_as(TEXT, "words", new)
    assert new.read_text() == "words"


def test_a_disk_that_fills_up_is_one_line(tmp_path):
    def full(words, path):
        raise OSError(28, "No space left on device")

    with pytest.raises(SetupError, match="cannot be written: No space left"):
        write_as({".txt": full}, "words", tmp_path / "x.txt")


def test_a_plan_that_could_not_be_kept_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr("service.commands.dispatch.made_plan", lambda *_: pytest.fail("planned for nothing"))
    with pytest.raises(SetupError):
        plan_day(park_path(), DayAsked(date(2015, 7, 15)), tmp_path / "nowhere" / "plan.csv")
