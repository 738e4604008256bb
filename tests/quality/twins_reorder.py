"""Wrong reorder buffers. The law: laws of A, ReorderBuffer."""

from __future__ import annotations

from typing import Any

import trio

from chaoscheck.components.reorder_buffer import ReorderBuffer, TicketLine
from properties.test_reorder_buffer import ReorderLine
from tests.quality.planted_bug import PlantedBug

__all__ = ["REORDER_BUGS", "MovesTheLast"]


class MovesTheLast(TicketLine[Any]):
    """Breaks "emitted = tickets in order minus evicted".

    Evicting in the middle moves the last ticket into the gap, as one removes from an array
    whose order does not matter.
    """

    def evict(self, ticket: int) -> bool:
        order = list(self._live)
        evicted = super().evict(ticket)
        if evicted and ticket not in (order[0], order[-1]):
            order[order.index(ticket)] = order.pop()
            self._live = {each: self._live[each] for each in order}
        return evicted


class CountsOnFromTheHead(TicketLine[Any]):
    """Breaks "evicting any ticket, head or not, never stalls a later one".

    It waits for the ticket after the one that left last, and an evicted one never comes.
    """

    left = 0

    def pop_ready(self) -> tuple[int, Any] | None:
        if self.left not in self._live:
            return None
        ready = super().pop_ready()
        self.left += ready is not None
        return ready


class FillsFromTheHead(TicketLine[Any]):
    """Breaks "results leave in ticket order": a result goes to the first that has none."""

    def complete(self, ticket: int, value: Any) -> None:
        unfinished = [each for each, held in self._live.items() if not isinstance(held, str)]
        super().complete(unfinished[0] if ticket in unfinished else ticket, value)


class TellsOnlyUnfinished(TicketLine[Any]):
    """Breaks "outstanding: neither left nor been evicted": a result that waits is left out."""

    @property
    def outstanding(self) -> tuple[int, ...]:
        return tuple(ticket for ticket, held in self._live.items() if not isinstance(held, str))


class OneTooMany(ReorderBuffer[str]):
    """Breaks "back-pressure at max_pending": one ticket too many is given out."""

    async def reserve(self) -> int:
        if len(self._line) == self.max_pending:
            await trio.lowlevel.checkpoint()
            return self._line.open()
        return await super().reserve()


class LastComeFirstServed(ReorderBuffer[str]):
    """Breaks "FIFO among waiters": who came last is served first."""

    def _after_leaving(self) -> None:
        self._waiting.reverse()
        super()._after_leaving()


class AsksAgainLater(ReorderBuffer[str]):
    """Breaks "FIFO among waiters": who waits asks from time to time, and a newcomer is first."""

    async def reserve(self) -> int:
        while len(self._line) >= self.max_pending:  # noqa: ASYNC110  # the bug
            await trio.sleep(0.01)
        return await super().reserve()


class FlushNeverEnds(ReorderBuffer[str]):
    """Breaks "nothing stalls": the last ticket that leaves wakes nobody who waits for it."""

    def _after_leaving(self) -> None:
        emptied, self._emptied = self._emptied, None
        super()._after_leaving()
        self._emptied = emptied


class ChecksThenActs(ReorderBuffer[str]):
    """Breaks "back-pressure at max_pending": others come between the look and the ticket."""

    async def reserve(self) -> int:
        if len(self._line) < self.max_pending:
            await trio.lowlevel.checkpoint()
            return self._line.open()
        return await super().reserve()


class KeepsTheTicketOfWhoLeft(ReorderBuffer[str]):
    """Breaks "who gives up takes no ticket": it may be cancelled when it has one already."""

    async def reserve(self) -> int:
        ticket = await super().reserve()
        await trio.lowlevel.checkpoint()
        return ticket


class OnlyWakes(ReorderBuffer[str]):
    """Breaks "FIFO among waiters": the ticket is issued by who was woken, not by who woke it."""

    async def reserve(self) -> int:
        await trio.lowlevel.checkpoint_if_cancelled()
        while len(self._line) >= self.max_pending:
            await self._stand_in_line()
        ticket = self._line.open()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return ticket

    def _after_leaving(self) -> None:
        if self._waiting and len(self._line) < self.max_pending:
            woken = self._waiting.popleft()
            self._granted[woken] = -1
            trio.lowlevel.reschedule(woken)
        if not len(self._line) and self._emptied is not None:
            self._emptied.set()
            self._emptied = None


class WaitsOnWhenCancelled(ReorderBuffer[str]):
    """Breaks "cancelled while it waits, it takes no ticket": nothing interrupts the wait."""

    async def reserve(self) -> int:
        with trio.CancelScope(shield=True):
            ticket = await super().reserve()
        return ticket  # noqa: RET504  # to a type checker, a scope may swallow what is inside


class LineMachine(ReorderLine):
    """A buffer around a wrong line."""

    line_type: type[TicketLine[Any]] = TicketLine

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The right waiting, the wrong line."""
        buffer: ReorderBuffer[str] = ReorderBuffer(max_pending)
        buffer._line = self.line_type()
        return buffer


class TellsOnlyUnfinishedLine(LineMachine):
    """Results that wait for their turn are invisible."""

    line_type = TellsOnlyUnfinished


class CountsOnFromTheHeadLine(LineMachine):
    """Evicting the head stalls the rest."""

    line_type = CountsOnFromTheHead


class FillsFromTheHeadLine(LineMachine):
    """Results go to the wrong ticket."""

    line_type = FillsFromTheHead


class OneTooManyLine(ReorderLine):
    """Back-pressure comes too late."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The generous buffer."""
        return OneTooMany(max_pending)


class LastComeFirstServedLine(ReorderLine):
    """Waiters are served from the wrong end."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The unfair buffer."""
        return LastComeFirstServed(max_pending)


class AsksAgainLaterLine(ReorderLine):
    """Waiters poll."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The polling buffer."""
        return AsksAgainLater(max_pending)


class ChecksThenActsLine(ReorderLine):
    """Two see the same free place."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The buffer that looks too early."""
        return ChecksThenActs(max_pending)


class KeepsTheTicketOfWhoLeftLine(ReorderLine):
    """Cancelled reservations take places."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The buffer that can be cancelled too late."""
        return KeepsTheTicketOfWhoLeft(max_pending)


class OnlyWakesLine(ReorderLine):
    """Newcomers overtake who was woken."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The buffer that leaves the rest to the woken."""
        return OnlyWakes(max_pending)


class WaitsOnWhenCancelledLine(ReorderLine):
    """Nobody can give up."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The buffer that shields its waiters."""
        return WaitsOnWhenCancelled(max_pending)


class FlushNeverEndsLine(ReorderLine):
    """Flushing hangs."""

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The buffer that forgets who waits for the end."""
        return FlushNeverEnds(max_pending)


REORDER_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="reorder-hides-finished-tickets",
        what="A result that waits for its turn is not counted among the outstanding ones.",
        machine=TellsOnlyUnfinishedLine,
        sound=ReorderLine,
        laws=("what_is_outstanding_is_what_has_not_left",),
        # Build with room for two, reserve twice, complete the second.
        smallest_known_steps=4,
        shows=("state.complete(position=1)",),
    ),
    PlantedBug(
        name="reorder-evicting-the-head-stalls",
        what="Once the head is evicted, no later ticket leaves.",
        machine=CountsOnFromTheHeadLine,
        sound=ReorderLine,
        laws=("what_left_is_all_that_may_have_left",),
        # Build, reserve, evict the head, reserve: the end completes what nobody lets go.
        smallest_known_steps=4,
        shows=("state.evict(position=0)",),
    ),
    PlantedBug(
        name="reorder-result-at-the-wrong-ticket",
        what="Results are handed to tickets in the order in which they come.",
        machine=FillsFromTheHeadLine,
        sound=ReorderLine,
        laws=("every_result_leaves_with_its_own_ticket",),
        # Build with room for two, reserve twice, complete the second.
        smallest_known_steps=4,
        shows=("state.complete(position=1)",),
    ),
    PlantedBug(
        name="reorder-back-pressure-off-by-one",
        what="One ticket more than max_pending is given out.",
        machine=OneTooManyLine,
        sound=ReorderLine,
        laws=(
            "at_most_max_pending_tickets_are_out",
            "what_overlaps_is_as_good_as_one_by_one",
        ),
        # Build with room for one, and reserve twice.
        smallest_known_steps=3,
        shows=("max_pending=1", "state.reserve()"),
    ),
    PlantedBug(
        name="reorder-last-come-first-served",
        what="Who came last gets the ticket that becomes free.",
        machine=LastComeFirstServedLine,
        sound=ReorderLine,
        laws=("tickets_follow_the_order_of_asking",),
        # Build with room for one, reserve three times; the end completes the first.
        smallest_known_steps=4,
        shows=("max_pending=1", "state.reserve()"),
    ),
    PlantedBug(
        name="reorder-waiters-poll",
        what="Who waits looks again from time to time, and whoever comes meanwhile overtakes.",
        machine=AsksAgainLaterLine,
        sound=ReorderLine,
        laws=("nobody_waits_while_there_is_room",),
        # Build with room for one, reserve twice; the end completes the first.
        smallest_known_steps=3,
        shows=("max_pending=1", "state.reserve()"),
    ),
    PlantedBug(
        name="reorder-check-then-act",
        what="Two see the same free place, and both take it.",
        machine=ChecksThenActsLine,
        sound=ReorderLine,
        # With room for both they may still be told in the wrong order.
        laws=(
            "at_most_max_pending_tickets_are_out",
            "what_overlaps_is_as_good_as_one_by_one",
            "tickets_follow_the_order_of_asking",
        ),
        # Build with room for one, and reserve twice at once.
        smallest_known_steps=3,
        shows=("max_pending=1", "state.reserve()"),
    ),
    PlantedBug(
        name="reorder-cancelled-reservation-keeps-its-ticket",
        what="Who is cancelled in the instant in which it got a ticket leaves it outstanding.",
        machine=KeepsTheTicketOfWhoLeftLine,
        sound=ReorderLine,
        laws=(
            "what_is_outstanding_is_what_has_not_left",
            "what_overlaps_is_as_good_as_one_by_one",
            "nobody_waits_while_there_is_room",
            "tickets_follow_the_order_of_asking",
        ),
        # Build, reserve, and cancel that at its first checkpoint.
        smallest_known_steps=3,
        shows=(".cancel",),
    ),
    PlantedBug(
        name="reorder-waits-on-when-cancelled",
        what="Who waits in line cannot give up.",
        machine=WaitsOnWhenCancelledLine,
        sound=ReorderLine,
        laws=("who_gives_up_is_free_at_once",),
        # Build with room for one, reserve twice, cancel the second.
        smallest_known_steps=4,
        shows=(".cancel",),
    ),
    PlantedBug(
        name="reorder-newcomer-overtakes-the-woken",
        what="A newcomer takes the place for which the first in line was just woken.",
        machine=OnlyWakesLine,
        sound=ReorderLine,
        laws=(
            "tickets_follow_the_order_of_asking",
            "what_overlaps_is_as_good_as_one_by_one",
            "nobody_waits_while_there_is_room",
        ),
        # Build with room for one, reserve twice; a third asks when the first has just been
        # completed and the second woken, so it is held until then: one line more.
        smallest_known_steps=6,
        budget=500,
        shows=("max_pending=1", "state.reserve()"),
    ),
    PlantedBug(
        name="reorder-flush-never-ends",
        what="Waiting for an empty line goes on when it is empty.",
        machine=FlushNeverEndsLine,
        sound=ReorderLine,
        laws=("once_all_is_finished_nothing_is_held",),
        # Build, reserve; the end flushes.
        smallest_known_steps=2,
        shows=("state.reserve()",),
    ),
)
