"""Random trio programs that run in a world and under plain trio alike, and what they log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from chaoscheck.world.choices import SeededChoices

__all__ = ["DOINGS", "TIMELESS", "Stage", "TrioProgram", "random_programs"]

# What a task may do. None of it asks for time, a socket or a thread in TIMELESS.
TIMELESS = (
    "checkpoint",
    "give way",
    "set",
    "await",
    "lock",
    "acquire",
    "send",
    "receive",
    "children",
    "cancel",
)
DOINGS = (
    *TIMELESS,
    *("sleep", "await for", "shield", "deadline now", "deadline soon"),
    *("write", "write", "read", "read for", "thread"),
)

TASKS_MAX = 4
LENGTH_MAX = 5
EVENTS = 2

TrioProgram = tuple[tuple[str, int], ...]


def random_programs(seed: int, doings: Sequence[str] = DOINGS) -> list[TrioProgram]:
    """Two to four tasks of up to five doings each; a function of ``seed``."""
    choices = SeededChoices(seed)
    return [
        tuple(
            (doings[choices.pick("doing", len(doings))], choices.pick("which", 4))
            for _ in range(1 + choices.pick("length", LENGTH_MAX))
        )
        for _ in range(2 + choices.pick("tasks", TASKS_MAX - 1))
    ]


@dataclass(slots=True)
class Stage:
    """What the tasks of one program share. Make it inside the run."""

    names: Sequence[str]
    log: list[str] = field(default_factory=list)
    scopes: dict[str, trio.CancelScope] = field(default_factory=dict)
    lock: trio.Lock = field(default_factory=trio.Lock)
    places: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(1))
    events: list[trio.Event] = field(default_factory=lambda: [trio.Event() for _ in range(EVENTS)])

    def __post_init__(self) -> None:
        self.sender, self.receiver = trio.open_memory_channel[str](1)
        # Each task reads from a socket of its own, and any task writes to it.
        self.sockets = {name: trio.socket.socketpair() for name in self.names}

    def close(self) -> None:
        """Close the sockets; inside the run."""
        for one, other in self.sockets.values():
            one.close()
            other.close()

    sockets: dict[str, tuple[trio.socket.SocketType, trio.socket.SocketType]] = field(init=False)
    sender: trio.MemorySendChannel[str] = field(init=False)
    receiver: trio.MemoryReceiveChannel[str] = field(init=False)

    async def perform(self, name: str, program: TrioProgram) -> None:
        """Do one thing after the other in a scope of its own, and note each before and after."""
        with self.scopes.setdefault(name, trio.CancelScope()):
            for place, (doing, which) in enumerate(program):
                self.log.append(f"{name}.{place} {doing} at {trio.current_time():g}")
                await self._do(name, doing, which, program[place + 1 :])
                if doing == "children":
                    break
        self.log.append(f"{name} ends at {trio.current_time():g}")

    async def _do(self, name: str, doing: str, which: int, rest: TrioProgram) -> None:
        other = self.names[which % len(self.names)]
        doers: dict[str, Callable[[], Awaitable[object]]] = {
            "checkpoint": trio.lowlevel.checkpoint,
            "give way": trio.lowlevel.cancel_shielded_checkpoint,
            "await": self.events[which % EVENTS].wait,
            "receive": self.receiver.receive,
            "thread": partial(trio.to_thread.run_sync, len, ()),
            "write": partial(self.sockets[other][1].send, b"!"),
            "read": partial(self._read, name),
        }
        doer = doers.get(doing)
        if doer is not None:
            await doer()
        elif doing == "children":
            async with trio.open_nursery() as nursery:
                for letter in "ab":
                    nursery.start_soon(self.perform, name + letter, rest, name=name + letter)
        elif doing in ("lock", "acquire"):
            async with self.lock if doing == "lock" else self.places:
                await trio.lowlevel.checkpoint()
        elif doing == "send":
            await self.sender.send(name)
        elif doing == "set":
            self.events[which % EVENTS].set()
        elif doing == "cancel":
            self.scopes[other].cancel()
        else:
            await self._do_in_time(name, doing, which, self.scopes[other])

    async def _read(self, name: str) -> None:
        if name in self.sockets:
            await self.sockets[name][0].recv(1)
        else:  # a child: only one task may wait for a socket
            await trio.lowlevel.checkpoint()

    async def _do_in_time(self, name: str, doing: str, which: int, other: trio.CancelScope) -> None:
        if doing == "sleep":
            await trio.sleep(which)
        elif doing == "await for":
            with trio.move_on_after(which):
                await self.events[which % EVENTS].wait()
        elif doing == "read for":
            with trio.move_on_after(which):
                await self._read(name)
        elif doing == "shield":
            with trio.move_on_after(which), trio.CancelScope(shield=True):
                await trio.sleep(1)
        else:
            other.deadline = trio.current_time() + (which if doing == "deadline soon" else 0)
