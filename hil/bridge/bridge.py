"""The bridge: every device of a site read on time, every command carried out once and proven."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from hil.bridge.driver import Driver
from hil.bridge.events import ClockSet, Listener, nobody
from hil.bridge.fence import Fence
from hil.bridge.groups import Groups
from hil.bridge.keeper import Keeper
from hil.bridge.leases import Lease, Leases
from hil.bridge.link import Link
from hil.bridge.polled import PolledDevice
from hil.bridge.poller import Poller
from hil.bridge.writer import Approve, Mode, Writer
from hil.certificates import client_context
from hil.clocks import JUMP_S, RealClock, transport_scale
from hil.journal import Journal, JournalError
from hil.maps.bind import bind, check_devices
from hil.tasks import end
from models.errors import MapError, SetupError
from models.findings import errors_in
from models.ports import Clock, Command, Quality, Reading, Receipt
from models.site import Device, Site

SETTLE_S = 0.5
"""How long a reader waits for the polls that are due at its instant."""
THIN_OUT_S = 60.0
"""So often, in seconds of the clock, the journal drops some of what is over."""
FIRST_POLL_S = 3.0
"""How long the start waits for every device to be asked once."""


@dataclass(frozen=True, slots=True)
class BridgeStats:
    """What the bridge has done since it started.

    ``reads`` counts blocks read, ``points`` the values in them, ``writes`` the frames that left (refreshes included),
    ``differences`` the read-backs that showed something else than was written.
    """

    reads: int
    points: int
    misses: int
    commands: int
    writes: int
    refreshes: int
    reassertions: int
    differences: int
    connects: int
    misfits: int


class Bridge:
    """A Plant over Modbus: reads all devices of a site and writes its commands.

    ``addresses`` replaces host and port of devices by id (emulators choose their ports late). ``stagger_s`` spreads the links'
    polls over that many seconds. ``approve`` is the model's say on every command: None lets
    it pass, words forbid it. ``frame_life_s`` is how long, in transport seconds, a frame may stay in a gateway before it lands.
    ``kept`` is how long commands that are over stay in the journal; None keeps them for ever.

    Raises
    ------
    MapError
        If a device's map is missing or wrong, or two devices share an address; with every problem found.
    SetupError
        If another bridge holds the journal or writes to one of the devices, or the journal's folder cannot be written.
    """

    def __init__(
        self,
        site: Site,
        clock: Clock,
        journal: Path | None = None,
        listener: Listener = nobody,
        *,
        mode: Mode = Mode.AUTO,
        addresses: Mapping[str, tuple[str, int]] | None = None,
        stagger_s: float = 0.0,
        frame_life_s: float = 1.5,
        timeout_s: float | None = None,
        approve: Approve | None = None,
        kept: timedelta | None = None,
    ) -> None:
        if found := errors_in(check_devices(site)):
            raise MapError(found)
        self._clock = clock
        self._stagger_s, self._kept = stagger_s, kept
        self._timeout_s = timeout_s
        self._folder = site.folder
        places = addresses or {}
        self.devices = {d.id: PolledDevice(_moved(d, places.get(d.id)), bind(site, d)) for d in site.devices}
        self._links = self._make_links()
        self._journal = Journal(journal)
        self._fence = self._fenced(mode)
        self._take_up_time()
        assets = {d.id: site.asset(d.asset) for d in site.devices}
        by_device = {d.id: self._links[_place(d.device)] for d in self.devices.values()}
        self.leases = Leases(self._journal)
        self._driver = Driver(by_device, clock, self._journal, self.leases, frame_life_s)
        self._keeper = Keeper(self.devices, self._driver, clock, self._journal, listener)
        self._groups = Groups(self.devices, self._driver, self._keeper, self._journal, clock, listener)
        self._keeper.active = mode.writes
        self.writer = Writer(
            self.devices,
            assets,
            clock,
            self._journal,
            self._driver,
            self._keeper,
            self._groups,
            self.leases,
            listener,
            mode=mode,
            approve=approve,
        )
        self._listener = listener
        self._told_of_jump = False
        self._thinned = -THIN_OUT_S
        self._pollers: list[Poller] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start polling and wait until every device has been asked once."""
        with suppress(JournalError):  # tried again by every poll; until then nothing is written
            self._take_up()
        for place, link in self._links.items():
            mine = [d for d in self.devices.values() if _place(d.device) == place]
            self._pollers.append(Poller(link, mine, self._clock, self._listener, self._groups.tend))
        for k, poller in enumerate(self._pollers):
            poller.stagger(self._stagger_s * k / len(self._pollers))
        self._tasks = [asyncio.create_task(p.run(), name=f"poll {p.link}") for p in self._pollers]
        try:
            await _all_within([p.once for p in self._pollers], FIRST_POLL_S)
        except BaseException:
            await self.close()  # whoever gave up the start must not find the journal still held
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; see :meth:`close`."""
        await self.close()

    async def close(self) -> None:
        """Stop polling and close every connection; devices with a revert timer fall back by themselves."""
        await end(self._tasks)
        await end(self._groups.tending.values())
        for link in self._links.values():
            link.close()
        with suppress(JournalError):
            self._journal.keep_time(None)
        self._journal.close()
        self._fence.release()

    async def read(self) -> Sequence[Reading]:
        """Return the latest value of every point, waiting briefly for polls that are due right now."""
        behind = [p for p in self._pollers if p.behind()]
        for poller in behind:
            poller.caught_up.clear()
        await _all_within([p.caught_up for p in behind], SETTLE_S)
        now, at = self._clock.monotonic(), self._clock.now()
        self._watch_clock(at)
        self._thin_out(at, now)
        return [reading for device in self.devices.values() for reading in device.readings(now, at)]

    async def write(self, command: Command) -> Receipt:
        """Carry out one command; see :meth:`hil.bridge.writer.Writer.submit`."""
        return await self.writer.submit(command)

    async def write_group(self, commands: Sequence[Command]) -> tuple[Receipt, ...]:
        """Carry out commands to one group of a device together, or none; see :meth:`hil.bridge.writer.Writer.submit_group`."""
        return await self.writer.submit_group(commands)

    async def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits for confirmation in advise mode; KeyError if none of that id waits."""
        return await self.writer.confirm(command_id, operator)

    def lease(self, lease: Lease) -> str | None:
        """Take devices for one commander until the lease ends; the reason in words when it cannot be had."""
        now = self._clock.now()
        refusal = self.leases.grant(lease, now)
        words = f"until {lease.until.isoformat()}" if refusal is None else refusal.words
        state = "granted" if refusal is None else "refused"
        self._keeper.record(partial(self._journal.event, f"lease/{lease.holder}", now, state, words))
        return None if refusal is None else refusal.words

    def give_back(self, holder: str) -> None:
        """End what somebody has leased; JournalError, and nothing given back, when that cannot be recorded."""
        self.leases.end(holder)

    def waiting(self) -> Sequence[Command]:
        """Return the commands that wait for an operator in advise mode, oldest first."""
        return self.writer.waiting()

    def rest(self) -> None:
        """Refresh and restore nothing any more, as when nobody commands; devices with a revert timer fall back by themselves."""
        self._keeper.active = False

    def go_on(self) -> None:
        """Look after what stands again."""
        self._keeper.active = self.writer.mode.writes

    def quality(self, device: str) -> Quality:
        """Return how far a device's values may be trusted now."""
        return self.devices[device].quality(self._clock.monotonic())

    @property
    def stats(self) -> BridgeStats:
        """What has been read and written so far."""
        writer = self._driver.stats
        return BridgeStats(
            reads=sum(p.stats.polls for p in self._pollers),
            points=sum(p.stats.points for p in self._pollers),
            misses=sum(p.stats.misses for p in self._pollers),
            commands=writer.commands,
            writes=writer.frames,
            refreshes=writer.refreshes,
            reassertions=writer.reassertions,
            differences=writer.differences,
            connects=sum(link.stats.connects for link in self._links.values()),
            misfits=sum(link.stats.misfits for link in self._links.values()),
        )

    @property
    def journal(self) -> Journal:
        """The record of every command and frame."""
        return self._journal

    def _fenced(self, mode: Mode) -> Fence:
        """Take the sole right to write to what can be written; who never writes needs none."""
        commanded = [d.device for d in self.devices.values() if any(p.access.writable for p in d.map.points)]
        try:
            return Fence(commanded if mode.writes else ())
        except SetupError:
            self._journal.close()
            raise

    def _take_up(self) -> None:
        """Go on with what a bridge before has left open; who never writes only says what became of it."""
        if self.writer.mode.writes:
            self._groups.to_take_up = True
            self._groups.take_up()
        else:
            self._journal.close_orphans(self._clock.now())

    def _take_up_time(self) -> None:
        """Go on with the time of a bridge that ended without warning: the machine's clock may have been set meanwhile."""
        if not isinstance(self._clock, RealClock):
            return
        kept = self._journal.time_kept()
        if kept is not None:
            self._clock.go_on_from(kept)
        with suppress(JournalError):
            self._journal.keep_time(self._clock.anchor())

    def _watch_clock(self, at: datetime) -> None:
        """Tell, once, that the machine's clock has been set."""
        offset_s = self._clock.offset_s if isinstance(self._clock, RealClock) else 0.0
        jumped = abs(offset_s) > JUMP_S
        if jumped and not self._told_of_jump:
            words = f"the machine's clock was set by {offset_s:+.0f} s; control keeps its own time. Stop and start the bridge to take the new one"
            self._listener(ClockSet(at, "", words))
        self._told_of_jump = jumped

    def _thin_out(self, at: datetime, now: float) -> None:
        """Drop from the journal, now and then, what has long been over."""
        if self._kept is None or now < self._thinned + THIN_OUT_S:
            return
        self._thinned = now
        with suppress(JournalError):
            self._journal.forget(at - self._kept)

    def _make_links(self) -> dict[tuple[str, int], Link]:
        """Return one link per address; devices behind one gateway share it and its strictest habits."""
        links: dict[tuple[str, int], Link] = {}
        for place in dict.fromkeys(_place(d.device) for d in self.devices.values()):
            mine = [d for d in self.devices.values() if _place(d.device) == place]
            tls = mine[0].device.tls
            links[place] = Link(
                *place,
                mine[0].device.framer,
                self._clock,
                timeout_s=self._timeout_s or max(d.map.timeout_s for d in mine),
                pause_after_connect_s=max(d.map.pause_after_connect_s for d in mine),
                name=mine[0].id,
                pause_between_s=max(d.map.pause_between_s for d in mine),
                # a lost device is knocked at as often as it would be polled
                back_off_max_s=min(d.device.poll_s for d in mine) / transport_scale(self._clock),
                secure=None if tls is None else client_context(tls, self._folder),
                server_name="" if tls is None else tls.server_name,
            )
        return links


def _place(device: Device) -> tuple[str, int]:
    return device.host, device.port


def _moved(device: Device, place: tuple[str, int] | None) -> Device:
    """Return the device at the address where it really answers."""
    if place is None:
        return device
    return replace(device, host=place[0], port=place[1])


async def _all_within(events: Sequence[asyncio.Event], seconds: float) -> None:
    """Wait until every event is set, but no longer than ``seconds``."""
    waits = [asyncio.ensure_future(e.wait()) for e in events if not e.is_set()]
    if not waits:
        return
    try:
        await asyncio.wait(waits, timeout=seconds)
    finally:
        for wait in waits:
            wait.cancel()
