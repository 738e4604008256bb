"""ReorderBuffer: results enter in any order and leave in the order of their tickets.

``TicketLine`` decides, without any waiting: it holds the live tickets, oldest first, and lets
go of the oldest as soon as it has a result. There is deliberately no counter of "the next
ticket to leave": whichever live ticket is oldest is next, so a ticket that is evicted, at any
position, cannot stall a later one. ``ReorderBuffer`` adds the waiting: at most ``max_pending``
tickets are live, and who asks for one more stands in line, first come, first served.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import trio

from chaoscheck.components.number_limits import require_whole
from chaoscheck.errors import PlanError

__all__ = ["ReorderBuffer", "TicketError", "TicketLine"]

V = TypeVar("V")


class TicketError(PlanError):
    """A ticket was used that is not live: never issued, already completed, evicted or gone."""


class _Unfinished:
    """Stands where a live ticket has no result yet."""


_UNFINISHED = _Unfinished()


class TicketLine(Generic[V]):
    """The live tickets in order, each with its result or none yet. Tickets count from 0."""

    def __init__(self) -> None:
        # A dict keeps the order of insertion, which is the order of tickets.
        self._live: dict[int, V | _Unfinished] = {}
        self._issued = 0

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Tickets that have neither left nor been evicted, oldest first."""
        return tuple(self._live)

    def __len__(self) -> int:
        return len(self._live)

    def open(self) -> int:
        """Issue the next ticket."""
        ticket = self._issued
        self._issued += 1
        self._live[ticket] = _UNFINISHED
        return ticket

    def complete(self, ticket: int, value: V) -> None:
        """Give ``ticket`` its result; TicketError if it is not live or already has one."""
        if self._live.get(ticket) is not _UNFINISHED:
            raise TicketError(
                f"a result needs a ticket that is live and unfinished, got {ticket!r} "
                f"({self._fate(ticket)}; tickets issued: {self._issued})"
            )
        self._live[ticket] = value

    def evict(self, ticket: int) -> bool:
        """Give up ``ticket``, finished or not; False if it has already left or been evicted.

        A ticket that was never issued is a TicketError.
        """
        if not 0 <= ticket < self._issued:
            raise TicketError(f"ticket must be in [0, {self._issued}), got {ticket!r}")
        if ticket not in self._live:
            return False
        del self._live[ticket]
        return True

    def pop_ready(self) -> tuple[int, V] | None:
        """The oldest live ticket with its result, which leaves; None while it has none."""
        for ticket, held in self._live.items():
            if isinstance(held, _Unfinished):
                return None
            del self._live[ticket]
            return ticket, held
        return None

    def _fate(self, ticket: int) -> str:
        if ticket in self._live:
            return "it has a result"
        issued = 0 <= ticket < self._issued
        return "it left or was evicted" if issued else "it was never issued"


class ReorderBuffer(Generic[V]):
    """A line of at most ``max_pending`` live tickets, with back-pressure.

    Whoever completes or evicts a ticket then takes what became ready, with ``take_ready`` or,
    where the taking may run code that comes back here, one by one with ``pop_ready``.
    """

    def __init__(self, max_pending: int) -> None:
        """Raise PlanError unless ``max_pending`` is a whole number >= 1."""
        require_whole("max_pending", max_pending, 1)
        self.max_pending = max_pending
        self._line: TicketLine[V] = self._new_line()
        self._waiting: deque[trio.lowlevel.Task] = deque()
        self._granted: dict[trio.lowlevel.Task, int] = {}
        self._emptied: trio.Event | None = None

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Tickets that have neither left nor been evicted, oldest first."""
        return self._line.outstanding

    def __len__(self) -> int:
        return len(self._line)

    async def reserve(self) -> int:
        """The next ticket; waits in line while ``max_pending`` tickets are outstanding.

        Cancelled while it waits, it takes no ticket.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if len(self._line) < self.max_pending:
            ticket = self._line.open()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return ticket
        return await self._stand_in_line()

    def complete(self, ticket: int, value: V) -> None:
        """Give ``ticket`` its result; TicketError if it is not live or already has one."""
        self._line.complete(ticket, value)

    def evict(self, ticket: int) -> bool:
        """Give up ``ticket`` at any position; False if it has already left or been evicted."""
        evicted = self._line.evict(ticket)
        self._after_leaving()
        return evicted

    def pop_ready(self) -> tuple[int, V] | None:
        """The oldest live ticket with its result, which leaves; None while it has none."""
        ready = self._line.pop_ready()
        if ready is not None:
            self._after_leaving()
        return ready

    def take_ready(self) -> list[tuple[int, V]]:
        """All (ticket, result) pairs that may leave now, in ticket order."""
        taken: list[tuple[int, V]] = []
        while (ready := self.pop_ready()) is not None:
            taken.append(ready)
        return taken

    async def wait_empty(self) -> None:
        """Wait until no ticket is outstanding."""
        await trio.lowlevel.checkpoint()
        while len(self._line):
            if self._emptied is None:
                self._emptied = trio.Event()
            await self._emptied.wait()

    def _new_line(self) -> TicketLine[V]:
        return TicketLine()

    async def _stand_in_line(self) -> int:
        task = trio.lowlevel.current_task()
        self._waiting.append(task)

        def leave_the_line(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._waiting.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave_the_line)
        return self._granted.pop(task)

    def _after_leaving(self) -> None:
        # The ticket is issued here and not by the woken task: tasks wake in any order, and a
        # newcomer could run before them, but tickets must follow the line.
        while self._waiting and len(self._line) < self.max_pending:
            task = self._waiting.popleft()
            self._granted[task] = self._line.open()
            trio.lowlevel.reschedule(task)
        if not len(self._line) and self._emptied is not None:
            self._emptied.set()
            self._emptied = None
