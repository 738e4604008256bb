"""ReorderBuffer: reserved, completed, evicted and given up in any order, and still in line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, initialize, invariant, rule
from chaoscheck.components.reorder_buffer import ReorderBuffer, TicketError
from chaoscheck.subjects.chosen import build as build_subject
from chaoscheck.world.operation import Operation
from models.reorder import lawful_emission

PLACES = st.integers(0, 4)


@dataclass(slots=True, kw_only=True)
class Reservation:
    """One request for a ticket, and the ticket it got."""

    operation: Operation[None] | None = None
    ticket: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it has neither got a ticket nor given up."""
        return not self.in_flight.done

    @property
    def in_flight(self) -> Operation[None]:
        """The operation that asks."""
        assert self.operation is not None
        return self.operation


class ReorderLine(ChaosMachine):
    """Tickets are asked for, completed and evicted at any position; who waits may give up."""

    recovery_s: ClassVar[float] = 1.0

    def make_buffer(self, max_pending: int) -> Any:
        """The buffer under test: a twin's, else the subject chosen."""
        return build_subject("reorder_buffer", self.world, max_pending)

    @initialize(max_pending=st.integers(1, 5))
    def build(self, max_pending: int) -> None:
        """An empty line of this length."""
        self.buffer = self.make_buffer(max_pending)
        self.asked: list[Reservation] = []
        self.finished: list[int] = []
        self.evicted: list[int] = []
        self.left: list[tuple[int, str]] = []

    # ------------------------------------------------------------------ rules

    @rule()
    def reserve(self) -> None:
        """One more asks for a ticket; whoever pumps next lets all who asked run."""
        reservation = Reservation()
        reservation.operation = self.world.start(self._ask, reservation, name="reserve")

    async def _ask(self, reservation: Reservation) -> None:
        self.asked.append(reservation)
        reservation.ticket = await self.buffer.reserve()

    @rule()
    def settle(self) -> None:
        """Everything that can happen at this instant happens."""
        self.world.settle()

    # Tickets are named by their place among those that are live, and waiters by their place in
    # line, and a place where nobody is means nothing: so no step depends on what an earlier one
    # did to others, and shrinking can leave each of them out.

    @rule(position=PLACES)
    def complete(self, position: int) -> None:
        """The result of a live ticket comes in."""
        unfinished = self._unfinished()
        if position < len(unfinished):
            self._complete(unfinished[position])
            self.left += self.buffer.take_ready()

    @rule(position=PLACES)
    def evict(self, position: int) -> None:
        """A live ticket is given up, finished or not, wherever it stands."""
        live = self._live()
        if position < len(live):
            assert self.buffer.evict(live[position]), f"{live[position]} is live"
            self.evicted.append(live[position])
            self.left += self.buffer.take_ready()

    @rule(position=PLACES)
    def give_up(self, position: int) -> None:
        """Someone who waits for a ticket waits no longer."""
        waiting = [each for each in self.asked if each.waits]
        if position < len(waiting):
            waiting[position].in_flight.cancel()

    @rule()
    def use_tickets_that_are_gone(self) -> None:
        """Completing one is refused, evicting one does nothing: it left or was evicted before."""
        for ticket in self._gone():
            with pytest.raises(TicketError):
                self.buffer.complete(ticket, "a second result")
            assert not self.buffer.evict(ticket), f"{ticket} is gone"

    @rule()
    def complete_finished_tickets_again(self) -> None:
        """A second result is refused while the first still waits for its turn."""
        for ticket in sorted(set(self._live()) & set(self.finished)):
            with pytest.raises(TicketError):
                self.buffer.complete(ticket, "a second result")

    def _complete(self, ticket: int) -> None:
        self.buffer.complete(ticket, f"result {ticket}")
        self.finished.append(ticket)

    # ------------------------------------------------------------------ laws

    @invariant()
    def what_left_is_all_that_may_have_left(self) -> None:
        """Tickets in order minus evicted, none twice, none held back by an evicted one."""
        left = [ticket for ticket, _ in self.left]
        assert lawful_emission(len(self._issued()), self.evicted, self.finished, left), (
            f"left: {left}, finished: {self.finished}, evicted: {self.evicted}"
        )

    @invariant()
    def every_result_leaves_with_its_own_ticket(self) -> None:
        """Whoever completes a ticket finds that value under it."""
        assert [(ticket, f"result {ticket}") for ticket, _ in self.left] == self.left

    @invariant()
    def tickets_follow_the_order_of_asking(self) -> None:
        """First come, first served: who asked later waits longer, who gave up takes nothing."""
        in_line = [each.ticket for each in self.asked if each.ticket is not None or each.waits]
        issued = len(self._issued())
        assert [*range(issued), *[None] * (len(in_line) - issued)] == in_line

    @invariant()
    def at_most_max_pending_tickets_are_out(self) -> None:
        """Back-pressure: a finished ticket behind an unfinished one keeps its place."""
        assert len(self._live()) <= self.buffer.max_pending

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        """A place that became free is taken by whoever is first in line."""
        if any(each.waits for each in self.asked):
            assert len(self._live()) == self.buffer.max_pending

    @invariant()
    def what_is_outstanding_is_what_has_not_left(self) -> None:
        """Oldest first, neither left nor evicted."""
        assert self._live() == self.buffer.outstanding
        assert len(self._live()) == len(self.buffer)

    @invariant(healed=True)
    def once_all_is_finished_nothing_is_held(self) -> None:
        """Completing whatever is live lets every result out and every waiter in, one by one."""
        flush = self.world.start(self.buffer.wait_empty, name="flush")
        self.world.settle()
        while unfinished := self._unfinished():
            self._complete(unfinished[0])
            self.left += self.buffer.take_ready()
            self.world.settle()
            self.what_left_is_all_that_may_have_left()
            self.nobody_waits_while_there_is_room()
        assert flush.done, "the line is empty and its flush goes on"
        assert self.world.in_flight() == []

    def _issued(self) -> list[int]:
        """The tickets that are known to be issued."""
        return sorted(each.ticket for each in self.asked if each.ticket is not None)

    def _live(self) -> tuple[int, ...]:
        """Issued, and neither evicted nor left."""
        gone = {*self.evicted, *(ticket for ticket, _ in self.left)}
        return tuple(ticket for ticket in self._issued() if ticket not in gone)

    def _unfinished(self) -> list[int]:
        return [ticket for ticket in self._live() if ticket not in self.finished]

    def _gone(self) -> list[int]:
        return [ticket for ticket in self._issued() if ticket not in self._live()]


@given(st.integers() | st.sampled_from([True, 2.0, None, "3"]))
def test_exactly_the_illegal_sizes_are_refused(max_pending: Any) -> None:
    """A buffer that can hold nothing is never built, and the error shows the value at fault."""
    if type(max_pending) is int and max_pending >= 1:
        assert len(ReorderBuffer[str](max_pending)) == 0
        return
    with pytest.raises(PlanError) as refusal:
        ReorderBuffer[str](max_pending)
    assert f"got {max_pending!r}" in str(refusal.value)


TestReorderBuffer = ReorderLine.TestCase
