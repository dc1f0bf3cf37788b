"""What a running site did: snapshots out of its log, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from models.site import Site
from models.state import Snapshot
from twin.log import Kind, SqliteLog
from twin.packing import shown_again, unpack_snapshot
from twin.state import Layout

LOOKED_AT_MOST = 10_000
"""So many turns are looked at for one page, however few of them are wanted."""


@dataclass(frozen=True, slots=True)
class PastPage:
    """Snapshots in the order in which they were taken, and the number behind which the next page begins; None where nothing follows."""

    snapshots: Sequence[Snapshot]
    next: int | None


class Past:
    """The log of a site, opened anew for every look, so that nobody who writes it waits."""

    def __init__(self, path: Path, site: Site) -> None:
        self._path, self._layout = path, Layout.of(site)

    def snapshots(self, start: datetime, end: datetime, every: timedelta, after: int, limit: int) -> PastPage:
        """Return snapshots of ``start <= at < end`` behind the number ``after``, at least ``every`` apart.

        Raises
        ------
        SetupError
            If there is no log.
        """
        log, due, last = SqliteLog(self._path, read_only=True), start, after
        found: list[Snapshot] = []
        try:
            for looked_at, record in enumerate(log.read(start, end, (Kind.SNAPSHOT,), after)):
                if len(found) == limit or looked_at == LOOKED_AT_MOST:
                    return PastPage(found, last)
                last = record.seq
                if record.at >= due:
                    found.append(shown_again(unpack_snapshot(record.body, record.at), self._layout))
                    due = record.at + every
        finally:
            log.close()
        return PastPage(found, None)
