"""A client's connections: which request gets which, and which are closed.

Everything is decided at once and without a checkpoint; what is to be closed is collected, and
closed by whoever caused it. As in httpx's own pool, expiry is looked at when a request comes,
the oldest idle connection is used first, and requests are served in order of arrival.
Only idle connections count as kept alive, which is documented, but httpcore 1 counts busy ones.
"""

from __future__ import annotations

import math
import sys
from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import trio

from chaoscheck.wire.client_dial import Origin

__all__ = ["ClientPool", "LimitsOfClient", "PoolBounds", "Pooled"]


class Pooled(Protocol):
    """What the pool asks of a connection."""

    @property
    def number(self) -> int:
        """Counts the connections of the pool from 1."""

    @property
    def origin(self) -> Origin:
        """Where it leads."""

    @property
    def reusable(self) -> bool:
        """Whether another request may go over it."""

    @property
    def is_stale(self) -> bool:
        """Whether, being idle, it was closed by its server."""


C = TypeVar("C", bound=Pooled)


class LimitsOfClient(Protocol):
    """An ``httpx.Limits``: two counts and seconds; None is no limit."""

    max_connections: int | None
    max_keepalive_connections: int | None
    keepalive_expiry: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBounds:
    """How many connections there are, how many may be idle, for how long; httpx's defaults."""

    connections_max: int = 100
    idle_max: int = 20
    idle_max_s: float = 5.0

    @classmethod
    def of(cls, limits: LimitsOfClient) -> Self:
        """The bounds that ``limits`` stand for."""
        expiry_s = limits.keepalive_expiry
        return cls(
            connections_max=_or_unlimited(limits.max_connections),
            idle_max=_or_unlimited(limits.max_keepalive_connections),
            idle_max_s=math.inf if expiry_s is None else expiry_s,
        )


def _or_unlimited(count: int | None) -> int:
    return sys.maxsize if count is None else count


class _Waiter(Generic[C]):
    """A request in the queue; served when it has a connection."""

    __slots__ = ("connection", "origin", "served")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.connection: C | None = None
        self.served = trio.Event()


class ClientPool(Generic[C]):
    """Connections of type C within ``bounds``; ``make`` makes one, not yet connected.

    ``closing`` holds what has left the pool and is still to be closed: whoever calls the pool
    takes it from there afterwards.
    """

    def __init__(self, bounds: PoolBounds, make: Callable[[int, Origin], C]) -> None:
        self._bounds = bounds
        self._make = make
        self._made = 0
        self._all: dict[int, C] = {}  # by number, so the oldest comes first
        self._idle: dict[Origin, list[tuple[int, C]]] = {}  # the oldest first
        self._expiry: OrderedDict[C, float] = OrderedDict()  # of the idle, the soonest first
        self._waiting: deque[_Waiter[C]] = deque()
        self.closing: list[C] = []

    def take(self, origin: Origin) -> C | None:
        """A connection for a request that comes now, or None: then it must ``wait``."""
        if self._waiting:
            return None
        self._tidy()
        return self._find(origin)

    async def wait(self, origin: Origin, timeout_s: float | None) -> C | None:
        """Queue for a connection; None if there was none within ``timeout_s``."""
        waiter: _Waiter[C] = _Waiter(origin)
        self._waiting.append(waiter)
        try:
            with trio.move_on_after(math.inf if timeout_s is None else timeout_s):
                await waiter.served.wait()
        except BaseException:
            if waiter.connection is None:
                self._waiting.remove(waiter)
            else:
                self.release(waiter.connection)
            raise
        if waiter.connection is None:
            self._waiting.remove(waiter)
        return waiter.connection

    def release(self, connection: C) -> None:
        """A request is through with its connection, which is idle now, or closed."""
        if connection.number in self._all:
            if connection.reusable:
                idle = self._idle.setdefault(connection.origin, [])
                insort(idle, (connection.number, connection))
                self._expiry[connection] = trio.current_time() + self._bounds.idle_max_s
            else:
                del self._all[connection.number]
        if len(self._expiry) > self._bounds.idle_max:
            self._tidy()
        while self._waiting:
            found = self._find(self._waiting[0].origin)
            if found is None:
                return
            waiter = self._waiting.popleft()
            waiter.connection = found
            waiter.served.set()

    def remove_all(self) -> None:
        """Every connection leaves the pool, busy ones too; requests in the queue stay there."""
        self.closing += self._all.values()
        self._all.clear()
        self._idle.clear()
        self._expiry.clear()

    def __len__(self) -> int:
        """How many connections are in the pool, idle or busy."""
        return len(self._all)

    # Decisions.

    def _find(self, origin: Origin) -> C | None:
        """An idle connection to ``origin``, or a new one if there is room or can be made."""
        while (idle := self._idle.get(origin)) is not None:
            connection = idle[0][1]
            if connection.is_stale:
                self._drop(connection)
            else:
                self._unshelve(connection)
                return connection
        if len(self._all) >= self._bounds.connections_max:
            if not self._expiry:
                return None
            self._drop(self._idle_by_number()[0])
        self._made += 1
        made = self._all[self._made] = self._make(self._made, origin)
        return made

    def _tidy(self) -> None:
        """Drop what has been idle for too long, then what is idle in surplus."""
        if not self._expiry:
            return
        now_s = trio.current_time()
        while self._expiry:
            connection, expires_at_s = next(iter(self._expiry.items()))
            if now_s <= expires_at_s:
                break
            self._drop(connection)
        if len(self._expiry) > self._bounds.idle_max:
            for connection in self._idle_by_number():
                if connection.is_stale:
                    self._drop(connection)
            surplus = max(0, len(self._expiry) - self._bounds.idle_max)
            for connection in self._idle_by_number()[:surplus]:
                self._drop(connection)

    def _idle_by_number(self) -> list[C]:
        return sorted(self._expiry, key=lambda connection: connection.number)

    def _drop(self, connection: C) -> None:
        self._unshelve(connection)
        del self._all[connection.number]
        self.closing.append(connection)

    def _unshelve(self, connection: C) -> None:
        del self._expiry[connection]
        idle = self._idle[connection.origin]
        if len(idle) == 1:
            del self._idle[connection.origin]
        else:
            idle.remove((connection.number, connection))
