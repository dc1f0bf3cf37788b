import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.peers import Peer, PeerError
from models.errors import SetupError

SCRIPT = """
from serve import serve

def double(value):
    print("progress of the peer must not disturb its answers")
    return 2 * value

def fail():
    raise ValueError("no such pipe")

serve({"double": double, "fail": fail})
"""


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A peer script run by this interpreter instead of the peers' own."""
    shutil.copy(Path(peers.SCRIPTS) / "serve.py", tmp_path)
    (tmp_path / "doubler.py").write_text(SCRIPT, encoding="utf-8")
    monkeypatch.setattr(peers, "SCRIPTS", tmp_path)
    monkeypatch.setattr(peers, "PYTHON", Path(sys.executable))
    with Peer("doubler") as peer:
        yield peer


def test_a_peer_answers_and_says_how_long_it_took_in_its_own_process(peer):
    answer = peer.ask("double", value=21)
    assert answer["result"] == 42
    assert 0 <= answer["seconds"] < 5
    assert peer.timed("double", value=1) >= 0


def test_a_peers_error_is_told_and_the_next_question_is_answered(peer):
    with pytest.raises(PeerError, match="no such pipe"):
        peer.ask("fail")
    assert peer.ask("double", value=2)["result"] == 4


def test_a_missing_environment_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "PYTHON", tmp_path / "python")
    with pytest.raises(SetupError, match="make peers"):
        Peer("pipes")
