"""Peers: other people's programs, asked in their own environment (``make peers``) because they pin other versions than ours.

A peer script lives in ``benchmarks/peerside/``, imports what it likes and ends with ``serve({...})``. From here:

    with Peer("pipes") as peer:
        answer = peer.ask("heat_flow", case="tree", repeats=1)
        answer["result"], answer["seconds"]
"""

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from benchmarks.measure import Timed
from models.errors import SetupError

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SCRIPTS = ROOT / "benchmarks" / "peerside"


NODE_MODULES = ROOT / ".venv-peers" / "node" / "node_modules"


def _node() -> str:
    """Return where Node is; a SetupError in words when it or its modules are missing."""
    program = shutil.which("node")
    if program is None or not NODE_MODULES.is_dir():
        raise SetupError("Node or the peers' modules are missing; install nodejs and npm, then: make peers")
    return program


class PeerError(Exception):
    """A peer's script failed; the text is what it printed."""


class Peer:
    """One peer script as a child process that answers questions, one JSON line each way."""

    def __init__(self, script: str) -> None:
        """Take a script by name; one that ends in ``.js`` runs on Node, every other in the peers' Python."""
        if not PYTHON.exists():
            raise SetupError("the peers' environment .venv-peers is missing; make it with: make peers")
        self.program = str(PYTHON)
        if script.endswith(".js"):
            self.program = _node()
        self.script = SCRIPTS / (script if script.endswith(".js") else f"{script}.py")
        self.child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.child = subprocess.Popen(
            [self.program, str(self.script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.child is not None:
            self.child.communicate(timeout=30)

    def pipes(self) -> tuple[IO[str], IO[str]]:
        """Return where to write questions and where to read answers."""
        if self.child is None or self.child.stdin is None or self.child.stdout is None:
            raise PeerError(f"{self.script.name} is not running; use it in a with block")
        return self.child.stdin, self.child.stdout

    def ask(self, question: str, **values: Any) -> dict[str, Any]:
        """Return the peer's answer: ``result`` as it gave it, ``seconds`` that the peer's function took in its own process.

        Raises
        ------
        PeerError
            If the peer's function raised or its process ended.
        """
        into, out = self.pipes()
        into.write(json.dumps({"ask": question, "values": values}) + "\n")
        into.flush()
        line = out.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process ended without an answer"}
        if "error" in answer:
            raise PeerError(f"{self.script.name}, {question}: {answer['error']}")
        return answer

    def timed(self, question: str, **values: Any) -> Timed:
        """Ask and return only the seconds, in the form that ``measure_pair`` takes as a reference."""
        return Timed(self.ask(question, **values)["seconds"])
