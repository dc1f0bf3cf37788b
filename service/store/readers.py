"""Connections that only read an SQLite file, for statements that are asked so often that every step counts."""

import asyncio
import queue
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError


class Readers:
    """Asks a file in one step, from any thread; each statement sees what was kept when it began."""

    def __init__(self, file: Path, busy_ms: int) -> None:
        self._address, self._busy_s = f"{file.absolute().as_uri()}?mode=ro", busy_ms / 1000
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()

    async def rows(self, statement: str, values: Sequence[object]) -> list[Any]:
        """Return the rows of a statement."""
        return await asyncio.to_thread(self._rows, statement, values)

    def close(self) -> None:
        """Close every connection that nobody uses."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _rows(self, statement: str, values: Sequence[object]) -> list[Any]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = sqlite3.connect(self._address, self._busy_s, uri=True, check_same_thread=False)
        try:
            return connection.execute(statement, tuple(values)).fetchall()
        except sqlite3.Error as fault:
            raise DBAPIError(statement, None, fault) from fault
        finally:
            self._idle.put(connection)
