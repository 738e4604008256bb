"""ReorderBuffer: reserved, completed, evicted and given up in any order, and still in line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck import Bundle, ChaosMachine, PlanError, initialize, invariant, multiple, rule
from chaoscheck.components.reorder_buffer import ReorderBuffer, TicketError
from chaoscheck.world.operation import Operation
from models.reorder import Operation as Move
from models.reorder import ReorderState, lawful_emission, reorder_step


@dataclass(slots=True, kw_only=True)
class Reservation:
    """One request for a ticket, and the ticket it got."""

    operation: Operation[None] | None = None
    ticket: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it has neither got a ticket nor given up."""
        return self.operation is not None and not self.operation.done


class ReorderLine(ChaosMachine):
    """Tickets are asked for, completed and evicted at any position; who waits may give up."""

    recovery_s: ClassVar[float] = 1.0
    reservations = Bundle("reservations")

    def make_buffer(self, max_pending: int) -> ReorderBuffer[str]:
        """The buffer under test."""
        return ReorderBuffer(max_pending)

    @initialize(max_pending=st.integers(1, 4))
    def build(self, max_pending: int) -> None:
        """An empty line of this length."""
        self.buffer = self.make_buffer(max_pending)
        self.asked: list[Reservation] = []
        self.finished: list[int] = []
        self.evicted: list[int] = []
        self.left: list[tuple[int, str]] = []

    # ------------------------------------------------------------------ rules

    @rule(target=reservations, count=st.integers(1, 4))
    def reserve(self, count: int) -> Any:
        """Several ask for a ticket at once; whoever pumps next lets them run."""
        return multiple(*(self._reserve() for _ in range(count)))

    def _reserve(self) -> Reservation:
        reservation = Reservation()
        reservation.operation = self.world.start(self._ask, reservation, name="reserve")
        return reservation

    async def _ask(self, reservation: Reservation) -> None:
        self.asked.append(reservation)
        reservation.ticket = await self.buffer.reserve()

    @rule()
    def settle(self) -> None:
        """Everything that can happen at this instant happens."""
        self.world.settle()

    @rule(reservation=reservations)
    def complete(self, reservation: Reservation) -> None:
        """A result comes in; one for a ticket that is finished or gone is refused."""
        ticket = reservation.ticket
        if ticket is None:
            return
        if reorder_step(self._state(), Move("complete", ticket)).refusal is None:
            self.buffer.complete(ticket, f"result {ticket}")
            self.finished.append(ticket)
        else:
            with pytest.raises(TicketError):
                self.buffer.complete(ticket, "a second result")
        self.left += self.buffer.take_ready()

    @rule(reservation=reservations)
    def evict(self, reservation: Reservation) -> None:
        """A ticket is given up, wherever it stands; one that is gone stays as it is."""
        ticket = reservation.ticket
        if ticket is None:
            return
        is_live = ticket in self._live()
        assert is_live == self.buffer.evict(ticket), f"evicting {ticket}, live: {is_live}"
        if is_live:
            self.evicted.append(ticket)
        self.left += self.buffer.take_ready()

    @rule(reservation=reservations)
    def give_up(self, reservation: Reservation) -> None:
        """Whoever still waits for a ticket waits no longer."""
        assert reservation.operation is not None
        reservation.operation.cancel()
        self.world.settle()

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
        """Completing whatever is live, newest first, lets every result out and every waiter in."""
        flush = self.world.start(self.buffer.wait_empty, name="flush")
        self.world.settle()
        while live := self._live():
            for ticket in reversed(live):
                if ticket not in self.finished:
                    self.buffer.complete(ticket, f"result {ticket}")
                    self.finished.append(ticket)
            self.left += self.buffer.take_ready()
            self.world.settle()
            assert live[0] not in self._live(), f"{live[0]} is finished, first and still held"
        assert flush.done, "the line is empty and its flush goes on"
        assert self.world.in_flight() == []
        self.what_left_is_all_that_may_have_left()

    def _issued(self) -> list[int]:
        """The tickets that are known to be issued."""
        return sorted(each.ticket for each in self.asked if each.ticket is not None)

    def _live(self) -> tuple[int, ...]:
        """Issued, and neither evicted nor left."""
        gone = {*self.evicted, *(ticket for ticket, _ in self.left)}
        return tuple(ticket for ticket in self._issued() if ticket not in gone)

    def _state(self) -> ReorderState:
        live = tuple((ticket, ticket in self.finished) for ticket in self._live())
        return ReorderState(
            max_pending=self.buffer.max_pending, live=live, issued=len(self._issued())
        )


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
