"""The bridge's side of the socket: answers one service, tells it what happens, and keeps off the wire while there is none."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hil.bridge import Bridge
from hil.bridge.events import BridgeEvent
from models.errors import JouletwinError, SetupError
from models.ports import Command
from service.bridging.wire import ANSWER, FAULT, LENGTH, length_of, packed, unpacked

EVENTS_MOST = 10_000
"""So many events wait for a service that does not listen; then its stream is ended, and it begins anew."""


class Served:
    """What a bridge is asked for over the socket; it commands only while a service listens."""

    def __init__(self) -> None:
        self.bridge: Bridge | None = None
        self._objections: dict[str, str] = {}
        self._listeners: set[asyncio.Queue[BridgeEvent]] = set()
        self._connections: set[asyncio.StreamWriter] = set()

    def objection(self, command: Command) -> str | None:
        """Return what the service's model says against a command; it has said so with the command."""
        return self._objections.get(command.id)

    def tell(self, event: BridgeEvent) -> None:
        """Tell an event to the service."""
        for listener in list(self._listeners):
            try:
                listener.put_nowait(event)
            except asyncio.QueueFull:
                self._listeners.discard(listener)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        self._connections.add(writer)
        try:
            while True:
                asked = unpacked(await reader.readexactly(length_of(await reader.readexactly(LENGTH.size))))
                if asked == ("events",):
                    await self._stream(reader, writer)
                    return
                writer.write(packed(await self._answered(asked)))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, JouletwinError):
            pass  # who asked is gone, or is none of ours
        finally:
            self._connections.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._connections:
            writer.transport.abort()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell events for as long as the service listens; without a service nothing is commanded."""
        bridge, events = self._there(), asyncio.Queue[BridgeEvent](EVENTS_MOST)
        self._listeners.add(events)
        bridge.go_on()
        gone = asyncio.create_task(reader.read(1))
        try:
            writer.write(packed((ANSWER, None)))
            while events in self._listeners and not gone.done():
                following = asyncio.create_task(events.get())
                await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    writer.write(packed(following.result()))
                    await writer.drain()
                else:
                    following.cancel()
        finally:
            gone.cancel()
            self._listeners.discard(events)
            if not self._listeners:
                bridge.rest()

    async def _answered(self, asked: tuple[Any, ...]) -> tuple[str, Any]:
        name, *values = asked
        try:
            return ANSWER, await self._done(name, values)
        except (JouletwinError, OSError, KeyError) as fault:
            return FAULT, (isinstance(fault, KeyError), str(fault))

    async def _done(self, name: str, values: list[Any]) -> Any:
        bridge = self._there()
        match name, values:
            case "hello", []:
                return bridge.writer.mode.value, frozenset(bridge.devices)
            case "read", []:
                return await bridge.read()
            case "write", [command, objection]:
                with self._said(command.id, objection):
                    return await bridge.write(command)
            case "confirm", [command_id, operator, objection]:
                with self._said(command_id, objection):
                    return await bridge.confirm(command_id, operator)
            case "waiting", []:
                return bridge.waiting()
            case "lease", [lease]:
                return bridge.lease(lease)
            case "give back", [holder]:
                return bridge.give_back(holder)
            case "stats", []:
                return bridge.stats
        raise SetupError(f"a bridge is not asked for {name!r}; are service and bridge of one version?")

    @contextlib.contextmanager
    def _said(self, command_id: str, objection: str | None) -> Any:
        if objection is not None:
            self._objections[command_id] = objection
        try:
            yield
        finally:
            self._objections.pop(command_id, None)

    def _there(self) -> Bridge:
        assert self.bridge is not None  # noqa: S101 # nobody connects before
        return self.bridge


@asynccontextmanager
async def served(bridge: Bridge, desk: Served, place: Path) -> AsyncIterator[None]:
    """Run a bridge and answer for it at a socket that this user alone can open, while the block lasts.

    Raises
    ------
    SetupError
        If the socket cannot be made.
    """
    desk.bridge = bridge
    bridge.rest()  # before it takes up what an earlier one has left open
    async with bridge:
        server = await _listening(desk, place)
        try:
            yield
        finally:
            server.close()
            desk.hang_up()
            place.unlink(missing_ok=True)


async def _listening(desk: Served, place: Path) -> asyncio.Server:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(desk.talk, str(place))
        finally:
            os.umask(before)
    except OSError as fault:
        raise SetupError(f"{place}: {fault.strerror}. Choose another place with --listen.") from None
