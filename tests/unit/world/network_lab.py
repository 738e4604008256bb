"""A network with one host and a clock turned by hand, for the tests of the virtual network."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices, ScriptedChoices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.virtual.network import VirtualNetwork

HOST = "api.example"
PORT = 80


class Lab:
    """A network with one host, and a clock that a test turns by hand."""

    def __init__(self, choices: Choices | None = None) -> None:
        self.clock = VirtualClock()
        self.choices = choices or ScriptedChoices()
        self.trace = Trace(self.clock.current_time)
        self.network = VirtualNetwork(clock=self.clock, choices=self.choices, trace=self.trace)
        self.network.add_host(HOST)

    async def pass_time(self, seconds: float) -> None:
        """Run every timer on the way, letting all tasks settle after each instant."""
        await trio.testing.wait_all_tasks_blocked()
        target = self.clock.now + seconds
        while self.clock.next_timer() <= target:
            self.clock.now = self.clock.next_timer()
            self.clock.run_due()
            await trio.testing.wait_all_tasks_blocked()
        self.clock.now = target

    def kinds(self) -> list[str]:
        """The kinds of the traced events, in order."""
        return [event.kind for event in self.trace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Both ends of one connection."""

    client: trio.SocketStream
    server: trio.SocketStream


@asynccontextmanager
async def connected(lab: Lab) -> AsyncGenerator[Ends]:
    """A fresh connection to the host; it and its listener are closed at the end."""
    [listener] = await lab.network.listen(HOST, PORT)
    client = await trio.open_tcp_stream(HOST, PORT)
    server = await listener.accept()
    async with listener, client, server:
        yield Ends(client=client, server=server)


def run(lab: Lab, story: Callable[[], Awaitable[None]]) -> None:
    """Play ``story`` in one trio run over the lab's network."""

    async def main() -> None:
        lab.network.install()
        await story()
        lab.network.close()

    trio.run(main)


async def error_of(operation: Awaitable[object]) -> int | None:
    """The errno behind the error that ``operation`` ends with."""
    with pytest.raises((OSError, trio.BrokenResourceError)) as caught:
        await operation
    cause = caught.value if isinstance(caught.value, OSError) else caught.value.__cause__
    return getattr(cause, "errno", None)


async def collect(operation: Callable[[], Awaitable[object]], into: list[object]) -> None:
    """Put what ``operation`` gives, or its error, into a list."""
    try:
        into.append(await operation())
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        into.append(error)


@asynccontextmanager
async def fresh_socket() -> AsyncGenerator[trio.socket.SocketType]:
    """A socket that is closed at the end."""
    with trio.socket.socket() as made:
        yield made
