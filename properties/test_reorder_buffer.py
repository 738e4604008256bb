"""ReorderBuffer: reserved, completed, evicted and given up in any order, and still in line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, VirtualWorld, initialize, invariant, rule
from chaoscheck.checks.linearizability import linearizable
from chaoscheck.checks.model import Model
from chaoscheck.components.reorder_buffer import ReorderBuffer, TicketError
from chaoscheck.history.operations import OperationRecord
from chaoscheck.subjects.chosen import build as build_subject
from models.reorder import Operation, OperationName, ReorderState, lawful_emission, reorder_step
from properties.refusals import names_the_setting_at_fault

T = TypeVar("T")

PLACES = st.integers(0, 4)


@dataclass(slots=True, kw_only=True)
class Reservation:
    """One request for a ticket, the ticket it got, and whether it still asks."""

    ticket: int | None = None
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of completing or evicting ``ticket``: what left in the same instant."""

    ticket: int
    leaving: tuple[int, ...]


class ReorderLine(ChaosMachine):
    """Tickets are asked for, completed and evicted at any position, all of it at once.

    Who asks may give up at any of its checkpoints.
    """

    cancels: ClassVar[bool] = True
    recovery_s: ClassVar[float] = 1.0

    def make_buffer(self, max_pending: int) -> Any:
        """The buffer under test: a twin's, else the subject chosen."""
        return build_subject("reorder_buffer", self.world, max_pending)

    @initialize(max_pending=st.integers(1, 5))
    def build(self, max_pending: int) -> None:
        """An empty line of this length."""
        self.buffer = self.make_buffer(max_pending)
        self.max_pending = max_pending
        self.model = line_model(max_pending)
        self.asked: list[Reservation] = []
        self.finished: list[int] = []
        self.evicted: list[int] = []
        self.left: list[tuple[int, str]] = []
        self.judged = 0

    # ------------------------------------------------------------------ rules

    @rule(in_flight=True)
    async def reserve(self) -> int:
        """One more asks for a ticket."""
        reservation = Reservation()
        self.asked.append(reservation)
        try:
            reservation.ticket = await self.buffer.reserve()
        finally:
            reservation.waits = False
        return reservation.ticket

    # Tickets are named by their place among those that are live when it happens, and a place
    # where nobody is means nothing: so no step depends on what an earlier one did to others, and
    # shrinking can leave each of them out.

    @rule(in_flight=True, position=PLACES)
    async def complete(self, position: int) -> Taken | None:
        """The result of a live ticket comes in."""
        await trio.lowlevel.checkpoint()
        unfinished = self._unfinished()
        if position >= len(unfinished):
            return None
        self._complete(unfinished[position])
        return Taken(ticket=unfinished[position], leaving=self._take())

    @rule(in_flight=True, position=PLACES)
    async def evict(self, position: int) -> Taken | None:
        """A live ticket is given up, finished or not, wherever it stands."""
        await trio.lowlevel.checkpoint()
        live = self._live()
        if position >= len(live):
            return None
        assert self.buffer.evict(live[position]), f"{live[position]} is live"
        self.evicted.append(live[position])
        return Taken(ticket=live[position], leaving=self._take())

    @rule()
    def use_tickets_that_are_gone(self) -> None:
        """Completing one is refused, evicting one does nothing: it left or was evicted before."""
        for ticket in self._gone():
            with pytest.raises(self._refusal()):
                self.buffer.complete(ticket, "a second result")
            assert not self.buffer.evict(ticket), f"{ticket} is gone"

    @rule()
    def complete_finished_tickets_again(self) -> None:
        """A second result is refused while the first still waits for its turn."""
        for ticket in sorted(set(self._live()) & set(self.finished)):
            with pytest.raises(self._refusal()):
                self.buffer.complete(ticket, "a second result")

    def _refusal(self) -> type[Exception]:
        """What a wrong ticket raises: of another's subject the protocol names no class."""
        return TicketError if isinstance(self.buffer, ReorderBuffer) else Exception

    def _complete(self, ticket: int) -> None:
        self.buffer.complete(ticket, f"result {ticket}")
        self.finished.append(ticket)

    def _take(self) -> tuple[int, ...]:
        """All that may leave now."""
        ready = self.buffer.take_ready()
        self.left += ready
        return tuple(ticket for ticket, _ in ready)

    # ------------------------------------------------------------------ laws

    @invariant()
    def what_left_is_all_that_may_have_left(self) -> None:
        """Tickets in order minus evicted, none twice, none held back by an evicted one."""
        left = [ticket for ticket, _ in self.left]
        assert lawful_emission(len(self._issued()), self.evicted, self.finished, left), (
            f"left: {left}, finished: {self.finished}, evicted: {self.evicted}"
        )

    @invariant()
    def what_overlaps_is_as_good_as_one_by_one(self) -> None:
        """Reserving, completing and evicting each happen at one instant, as the model has it."""
        if self._has_grown():
            verdict = linearizable(self._what_touched_the_line(), self.model)
            assert verdict.ok, str(verdict)

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
        assert len(self._live()) <= self.max_pending

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        """A place that became free is taken by whoever is first in line."""
        if any(each.waits for each in self.asked):
            assert len(self._live()) == self.max_pending

    @invariant()
    def what_is_outstanding_is_what_has_not_left(self) -> None:
        """Oldest first, neither left nor evicted."""
        assert self._live() == tuple(self.buffer.outstanding)
        if isinstance(self.buffer, ReorderBuffer):
            assert len(self._live()) == len(self.buffer)

    @invariant()
    def who_gives_up_is_free_at_once(self) -> None:
        """No time passes between being cancelled and having left the line."""
        left = self.world.in_flight()
        assert [] == [each for each in left if each.cancelling and each.cancel_if_due()]

    @invariant(healed=True)
    def once_all_is_finished_nothing_is_held(self) -> None:
        """Completing whatever is live lets every result out and every waiter in, one by one."""
        ours = isinstance(self.buffer, ReorderBuffer)  # the protocol asks nobody else to flush
        flush = self.world.start(self.buffer.wait_empty, name="flush") if ours else None
        self.world.settle()
        while unfinished := self._unfinished():
            number = self.history.invoke("complete")
            self._complete(unfinished[0])
            self.history.complete(number, "ok", Taken(ticket=unfinished[0], leaving=self._take()))
            self.world.settle()
            self.what_left_is_all_that_may_have_left()
            self.nobody_waits_while_there_is_room()
        assert flush is None or flush.done, "the line is empty and its flush goes on"
        assert self.world.in_flight() == []

    def _has_grown(self) -> bool:
        """Whether an operation began or ended since this was asked."""
        before = self.judged
        self.judged = sum(1 + each.ended for each in self.history)
        return before < self.judged

    def _what_touched_the_line(self) -> tuple[OperationRecord, ...]:
        """Without those who found nobody at their place, or were cancelled before they looked."""
        return self.history.only(
            lambda each: each.name == "reserve" or isinstance(each.result, Taken)
        )

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


def line_model(max_pending: int) -> Model[ReorderState]:
    """The pure model as what a history is judged by. A full line makes a reservation wait."""

    def happens(state: ReorderState, record: OperationRecord) -> tuple[ReorderState, ...]:
        result = record.result
        ticket = result.ticket if isinstance(result, Taken) else -1
        step = reorder_step(state, Operation(cast(OperationName, record.name), ticket))
        if step.refusal is not None:
            return ()
        if isinstance(result, Taken) and step.leaving != result.leaving:
            return ()
        # Who is told of a ticket is told of the next one; who gave up has taken none.
        if record.name == "reserve" and (record.status != "ok" or result != state.issued):
            return ()
        return (step.state,)

    initial = ReorderState(max_pending=max_pending)
    return Model(name="reorder_step", initial=initial, step=happens)


def in_a_world(story: Callable[[], Awaitable[T]]) -> T:
    """What an async story comes to in a world of its own."""
    with VirtualWorld() as world:
        return world.run(story)


def test_a_refused_result_says_what_became_of_its_ticket() -> None:
    """Whether it was never issued, is finished already, or is gone."""

    async def story() -> None:
        buffer = ReorderBuffer[str](4)
        for _ in range(4):
            await buffer.reserve()
        buffer.complete(0, "left")
        buffer.evict(1)
        buffer.complete(3, "kept")
        assert buffer.take_ready() == [(0, "left")]
        for ticket, fate in (
            (0, "it left or was evicted"),
            (1, "it left or was evicted"),
            (3, "it has a result"),
            (4, "it was never issued"),
            (-1, "it was never issued"),
        ):
            with pytest.raises(TicketError, match=rf"got {ticket} \({fate}; tickets issued: 4\)"):
                buffer.complete(ticket, "again")
        for ticket in (4, -1):
            with pytest.raises(TicketError, match=rf"in \[0, 4\), got {ticket}"):
                buffer.evict(ticket)

    in_a_world(story)


def test_tickets_taken_one_by_one_let_others_in_one_by_one() -> None:
    """As soon as one has left, whoever is first in line has its place."""

    async def story() -> None:
        buffer = ReorderBuffer[str](1)
        await buffer.reserve()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(buffer.reserve)
            await trio.testing.wait_all_tasks_blocked()
            assert buffer.pop_ready() is None
            buffer.complete(0, "a")
            assert buffer.outstanding == (0,)
            assert buffer.pop_ready() == (0, "a")
            assert buffer.outstanding == (1,)

    in_a_world(story)


def test_a_line_may_run_empty_more_than_once() -> None:
    """Each time, all that wait for it go on; each wait is a checkpoint, and so is each ticket."""

    async def story() -> list[float]:
        buffer, ended_s = ReorderBuffer[str](2), []

        async def flush() -> None:
            await buffer.wait_empty()
            ended_s.append(trio.current_time())

        with trio.testing.assert_checkpoints():
            await buffer.wait_empty()
        for _ in range(2):
            with trio.testing.assert_checkpoints():
                ticket = await buffer.reserve()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flush)
                nursery.start_soon(flush)
                await trio.sleep(1)
                buffer.evict(ticket)
        return ended_s

    assert in_a_world(story) == [1, 1, 2, 2]


@pytest.mark.parametrize("room", [0, 1])
def test_a_cancelled_request_takes_no_ticket(room: int) -> None:
    """Whether or not there is room."""

    async def story() -> tuple[int, ...]:
        buffer = ReorderBuffer[str](1 + room)
        await buffer.reserve()
        with trio.CancelScope() as scope:
            scope.cancel()
            await buffer.reserve()
        assert scope.cancelled_caught
        return buffer.outstanding

    assert in_a_world(story) == (0,)


@example(0)
@example(1)
@example(-1)
@example(True)
@given(st.integers() | st.sampled_from([True, 2.0, None, "3"]))
def test_exactly_the_illegal_sizes_are_refused(max_pending: Any) -> None:
    """A buffer that can hold nothing is never built, and the error shows the value at fault."""
    if type(max_pending) is int and max_pending >= 1:
        assert len(ReorderBuffer[str](max_pending)) == 0
        return
    with pytest.raises(PlanError) as refusal:
        ReorderBuffer[str](max_pending)
    assert names_the_setting_at_fault(refusal.value, {"max_pending": max_pending})


TestReorderBuffer = ReorderLine.TestCase
