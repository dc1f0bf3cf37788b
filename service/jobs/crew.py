"""The worker of a service, in a process of its own: started with the service, started anew when it dies, ended with it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

AGAIN_S = 1.0
"""How long a worker that died is waited for before the next one starts."""
END_S = 5.0
SAID = "worker.log"


class Crew:
    """Keeps one worker at work on a store, or none (``members`` 0)."""

    def __init__(self, address: str, results: Path, *, members: int = 1) -> None:
        self._members, self._results = members, results
        self._command = [sys.executable, "-m", "service.cli", "worker", "--results", str(results)]
        self._command.append("--until-stdin-closes")
        self._settings = os.environ | {"JOULETWIN_STORE": address}  # everybody on the machine reads a command line
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="crew", daemon=True)

    @property
    def pid(self) -> int | None:
        """The worker's number while there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Begin to keep a worker, where there is to be one."""
        if self._members:
            self._thread.start()

    def stop(self) -> None:
        """End the worker; what it works on goes back into the queue."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(2 * END_S)

    def _keep(self) -> None:
        while not self._ending.is_set():
            self._results.mkdir(parents=True, exist_ok=True)
            with (self._results / SAID).open(
                "ab"
            ) as said:  # not ours: who waits for our last word would wait for the worker's
                self._process = subprocess.Popen(  # noqa: S603 # our own command
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=said,
                    stderr=said,
                    env=self._settings,
                    start_new_session=True,
                )
            while self._process.poll() is None and not self._ending.wait(0.2):
                pass
            self._end(self._process)
            self._ending.wait(AGAIN_S)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()  # the sign to end
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
