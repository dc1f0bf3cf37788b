"""The operating loop of one site in a thread of its own, telling the memory what happens."""

import asyncio
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import timedelta
from pathlib import Path

from hil.bridge import Bridge, BridgeStats, Mode
from hil.bridge.events import Listener
from hil.bridge.writer import Approve
from models.actuals import Actuals
from models.errors import PlantError, SetupError
from models.forecast.measured import MeasuredHistory
from models.ports import Command, Receipt
from models.site import Site
from scenarios.events import Event, SnapshotTaken
from scenarios.loop_settings import LoopSettings
from scenarios.operate import OperatingLoop
from scenarios.planners import balances_of, planner_for
from scenarios.recording import Billing, period_finder
from service.bridging.door import BridgeDoor
from service.bridging.remote import RemoteBridge
from service.forecasting import Expects, forecasting, learning_beside
from service.recorded import recorded
from service.runtime import PlantKind, Runtime, unexplained
from service.schedules.carrying import Carrier, carrying
from service.surety import surety_of
from twin.state import start_snapshot
from twin.sync import Synchroniser
from twin.verify import Verifier
from twin.watch import Watch

STOP_S = 15.0
RENEWED_S = 120.0
"""How long whoever renews the devices waits for the first turn with them."""
CONFIRMED_S = 30.0
"""How long whoever confirms a command waits for what becomes of it."""
ESTIMATE_REAL, ESTIMATE_FAST = timedelta(seconds=30), timedelta(minutes=5)
"""Time between two estimates of all carriers; one takes some forty milliseconds of the loop's thread."""
REAL_POLL = timedelta(seconds=10)
"""In real time a snapshot is taken so often; a faster run takes one every minute of site time."""


class Operation:
    """Measures, plans and commands a site until it is stopped; what goes wrong for good is kept in ``failure``."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        addresses: Mapping[str, tuple[str, int]] | None = None,
        journal: Path | None = None,
        log: Path | None = None,
        log_kept: timedelta | None = None,
        commands_kept: timedelta | None = None,
        seed: int = 1,
        expects: Expects = Expects.NAIVE,
        bridge_at: Path | None = None,
    ) -> None:
        self.runtime = runtime
        self.failure: Exception | None = None
        self.stats: BridgeStats | None = None
        self._addresses, self._journal, self._log, self._seed = addresses, journal, log, seed
        self._expects, self._log_kept, self._commands_kept = expects, log_kept, commands_kept
        self._thread = threading.Thread(target=self._run, name="operating loop", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._bridge_at = bridge_at
        self._bridge: BridgeDoor | None = None
        self._following: Site | None = None
        """What the loop goes on with after this turn of it; None when it ends then."""
        self._renewing = threading.Lock()
        self._read = threading.Event()
        """Set when the loop has read its devices for the first time."""
        runtime.renew = self.renew

    def start(self) -> None:
        """Begin to operate."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Stop operating and wait until every connection is closed; streams of the interface end too."""
        self.runtime.closing = True
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.ident is not None:
            self._thread.join(STOP_S)

    def renew(self, site: Site) -> None:
        """Go on with another list of devices: the loop ends as for a restart and begins anew; safe to call from any thread but its own.

        Devices keep what they were told meanwhile, or fall back by themselves. A start that fails goes on with the devices before.

        Raises
        ------
        SetupError
            If the bridge is a process of its own, which knows only the devices of its site file.
        PlantError
            If the loop could not begin with these devices.
        """
        if self._bridge_at is not None:
            raise SetupError(
                "the bridge is a process of its own; write the device into the site file and start both again"
            )
        with self._renewing:
            self._following = site
            self._read.clear()
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
            self._read.wait(RENEWED_S)
            if self.runtime.site is not site:
                raise PlantError("the loop could not begin with these devices and goes on with those before")

    def waiting(self) -> Sequence[Command]:
        """Return the commands that wait for an operator, oldest first; safe to call from any thread."""
        return () if self._bridge is None else self._bridge.waiting()

    def confirm(self, command_id: str, operator: str) -> Receipt:
        """Carry out a command that waits for an operator; safe to call from any thread but the loop's own.

        Raises
        ------
        KeyError
            If none of that id waits, or waits any more.
        PlantError
            If the service ends meanwhile.
        """
        if self._bridge is None or self._loop is None:
            raise KeyError(command_id)
        carried_out = asyncio.run_coroutine_threadsafe(self._bridge.confirm(command_id, operator), self._loop)
        try:
            receipt = carried_out.result(CONFIRMED_S)
        except CancelledError:
            raise PlantError(f"the service ends; what became of {command_id} stands in its journal") from None
        self.runtime.memory.take_receipts((receipt,))
        return receipt

    @property
    def running(self) -> bool:
        """Whether the loop still turns."""
        return self._thread.is_alive()

    def _run(self) -> None:
        before: Site | None = None
        try:
            while True:
                try:
                    asyncio.run(self._operate())
                except asyncio.CancelledError:
                    pass
                except Exception as fault:  # whatever it is, the devices before have been operated until now
                    if before is None or self._read.is_set():
                        raise
                    self.runtime.memory.take_fault(self.runtime.clock.now(), "devices", str(fault))
                    self._following = before
                if self._following is None or self.runtime.closing:
                    return
                before, self.runtime.memory.site = self.runtime.memory.site, self._following
                self._following = None
        except Exception as fault:  # whatever ends the thread is told by the one who started it
            self.failure = fault
        finally:
            self._ready.set()
            self._read.set()

    async def _operate(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        site, clock = self.runtime.site, self.runtime.clock
        settings, planner = settings_for(self.runtime), planner_for(site)
        history = MeasuredHistory(Actuals(site, self._seed, calm=self.runtime.plant is PlantKind.DEVICES))
        learning = functools.partial(forecasting, self.runtime, history, self._expects, settings, self._seed)
        forecaster, settings = await asyncio.to_thread(learning)
        self.runtime.memory.surety = surety_of(site, forecaster, history)
        sync = Synchroniser(site, initial=start_snapshot(site, clock.now()), billing_period=settings.billing_period)
        watch = Watch(site, sync, every=ESTIMATE_REAL if self.runtime.speed <= 1 else ESTIMATE_FAST)
        billing = billing_for(self.runtime)
        with recorded(self.runtime, self._log, watch, history, billing, self._log_kept) as hear:
            bridge = self._door(hear.bridge, watch.objection)
            try:
                async with bridge:
                    self._bridge, self.runtime.desk = bridge, self
                    self.runtime.why = planner.dispatcher.why
                    loop = OperatingLoop(
                        site,
                        bridge,
                        clock,
                        planner,
                        forecaster,
                        watch,
                        checker=Verifier(site),
                        floor_planner=balances_of(planner),
                        listener=self._telling(hear.loop),
                        settings=settings,
                    )
                    async with learning_beside(forecaster, self.runtime), carrying(Carrier(self.runtime, bridge)):
                        await loop.run()
            finally:
                self._bridge = None
                self.runtime.why = unexplained
                self.stats = bridge.stats
                planner.close()

    def _telling(self, hear: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return a listener that also says when the devices have been read for the first time."""

        def told(event: Event) -> None:
            hear(event)
            if isinstance(event, SnapshotTaken):
                self._read.set()

        return told

    def _door(self, listener: Listener, approve: Approve) -> BridgeDoor:
        """Return the bridge: of this process, or one that lives in a process of its own."""
        site = self.runtime.site
        if self._bridge_at is not None:
            return RemoteBridge(self._bridge_at, site, self.runtime.mode, listener, approve)
        return Bridge(
            site,
            self.runtime.clock,
            self._journal,
            listener,
            mode=self.runtime.mode,
            addresses=self._emulated(),
            approve=approve,
            kept=self._commands_kept,
        )

    def _emulated(self) -> dict[str, tuple[str, int]]:
        """Return where emulated devices listen; one that was put into service since says itself where it does."""
        as_written = {d.id for d in self.runtime.site.devices if d in self.runtime.written.devices}
        return {name: place for name, place in (self._addresses or {}).items() if name in as_written}


def billing_for(runtime: Runtime) -> Billing:
    """Return which period's peak is charged: in real time the calendar month's, in a faster run that of each local day by itself."""
    return Billing.MONTH if runtime.speed <= 1 else Billing.DAY


def settings_for(runtime: Runtime) -> LoopSettings:
    """Return the loop's settings: polled more often in real time than in a faster run."""
    billing = billing_for(runtime)
    period = period_finder(runtime.site, billing)
    poll = REAL_POLL if billing is Billing.MONTH else LoopSettings().poll
    # a plant that nobody has told anything does not part from its plan by doing something else, and nobody says yes every minute
    auto = runtime.mode is Mode.AUTO
    return LoopSettings(billing_period=period, poll=poll, tracked=auto, trimmed=auto)
