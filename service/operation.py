"""The operating loop of one site in a thread of its own, telling the memory what happens."""

import asyncio
import functools
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import timedelta
from pathlib import Path

from hil.bridge import Bridge, BridgeStats, Mode
from hil.bridge.events import Listener
from hil.bridge.writer import Approve
from models.actuals import Actuals
from models.errors import PlantError
from models.forecast.measured import MeasuredHistory
from models.ports import Command, Receipt
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
        try:
            asyncio.run(self._operate())
        except asyncio.CancelledError:
            pass
        except Exception as fault:  # whatever ends the thread is told by the one who started it
            self.failure = fault
        finally:
            self._ready.set()

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
                        listener=hear.loop,
                        settings=settings,
                    )
                    async with learning_beside(forecaster, self.runtime), carrying(Carrier(self.runtime, bridge)):
                        await loop.run()
            finally:
                self._bridge = None
                self.runtime.why = unexplained
                self.stats = bridge.stats
                planner.close()

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
            addresses=self._addresses,
            approve=approve,
            kept=self._commands_kept,
        )


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
