"""ReorderBuffer: order, eviction and back-pressure, against the model where nothing waits."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.components.reorder_buffer import ReorderBuffer, TicketError, TicketLine
from chaoscheck.errors import PlanError
from models.reorder import Operation, ReorderState, reorder_step
from tests.unit.components.conftest import Run

OPERATIONS = st.lists(
    st.builds(
        Operation, st.sampled_from(["reserve", "reserve", "complete", "evict"]), st.integers(-1, 8)
    ),
    max_size=40,
)


@given(OPERATIONS)
def test_a_line_behaves_as_the_model_under_any_operations(operations: list[Operation]) -> None:
    """Whatever is completed or evicted, in whatever order: the right tickets leave, once each."""
    line: TicketLine[str] = TicketLine()
    state = ReorderState(max_pending=10**6)
    for operation in operations:
        step = reorder_step(state, operation)
        state = step.state
        if step.refusal is not None:
            with pytest.raises(TicketError):
                play(line, operation)
        else:
            play(line, operation)
        left = []
        while (ready := line.pop_ready()) is not None:
            left.append(ready)

        assert [(ticket, f"value {ticket}") for ticket in step.leaving] == left
        assert tuple(ticket for ticket, _ in state.live) == line.outstanding


def play(line: TicketLine[str], operation: Operation) -> None:
    """Apply ``operation`` to a real line."""
    if operation.name == "reserve":
        line.open()
    elif operation.name == "complete":
        line.complete(operation.ticket, f"value {operation.ticket}")
    else:
        line.evict(operation.ticket)


def test_results_leave_in_ticket_order(run: Run) -> None:
    """A late head holds back the others, and lets all go when it comes."""

    async def main() -> None:
        buffer: ReorderBuffer[str] = ReorderBuffer(3)
        for _ in range(3):
            await buffer.reserve()
        buffer.complete(2, "c")
        buffer.complete(1, "b")
        assert buffer.take_ready() == []
        buffer.complete(0, "a")
        assert buffer.take_ready() == [(0, "a"), (1, "b"), (2, "c")]

    run(main)


@pytest.mark.parametrize("evicted", [0, 1, 2, 3])
def test_evicting_any_ticket_never_stalls_a_later_one(run: Run, evicted: int) -> None:
    """Head, middle or last: the others leave as if the evicted one had never been."""

    async def main() -> None:
        buffer: ReorderBuffer[int] = ReorderBuffer(4)
        tickets = [await buffer.reserve() for _ in range(4)]
        assert buffer.evict(evicted)
        others = [ticket for ticket in tickets if ticket != evicted]
        for ticket in reversed(others):
            buffer.complete(ticket, ticket)
        assert [(ticket, ticket) for ticket in others] == buffer.take_ready()
        assert len(buffer) == 0

    run(main)


def test_a_ticket_whose_result_is_none_can_be_evicted(run: Run) -> None:
    """None is a result like any other."""

    async def main() -> None:
        buffer: ReorderBuffer[None] = ReorderBuffer(2)
        await buffer.reserve()
        ticket = await buffer.reserve()
        buffer.complete(ticket, None)
        assert buffer.evict(ticket)
        assert not buffer.evict(ticket)

    run(main)


def test_a_full_buffer_makes_the_next_wait_until_a_ticket_leaves(run: Run) -> None:
    """Back-pressure: a finished result behind a slow head still takes its place."""

    async def main() -> None:
        buffer: ReorderBuffer[str] = ReorderBuffer(2)
        await buffer.reserve()
        await buffer.reserve()
        buffer.complete(1, "b")

        async def head() -> None:
            await trio.sleep(7)
            buffer.complete(0, "a")
            buffer.take_ready()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(head)
            assert await buffer.reserve() == 2
            assert trio.current_time() == 7.0
            assert await buffer.reserve() == 3
            assert trio.current_time() == 7.0

    run(main)


def test_tickets_go_to_those_who_wait_in_the_order_they_came(run: Run) -> None:
    """First come, first served, and a newcomer does not overtake, on every schedule."""

    async def main() -> None:
        buffer: ReorderBuffer[str] = ReorderBuffer(1)
        await buffer.reserve()
        got: dict[int, int] = {}

        async def ask(name: int) -> None:
            await trio.sleep(name)
            got[name] = await buffer.reserve()

        async with trio.open_nursery() as nursery:
            for name in (1, 2, 3, 4):
                nursery.start_soon(ask, name)
            await trio.sleep(10)
            for ticket in (0, 1, 2, 3):
                buffer.evict(ticket)
            got[5] = await reserve_after_evicting(buffer, 4)
        assert got == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}

    run(main)


async def reserve_after_evicting(buffer: ReorderBuffer[str], ticket: int) -> int:
    """Make room and ask at once, without letting another task run between."""
    buffer.evict(ticket)
    return await buffer.reserve()


def test_a_waiter_that_is_cancelled_takes_no_ticket(run: Run) -> None:
    """Who leaves the line loses nothing for those behind."""

    async def main() -> None:
        buffer: ReorderBuffer[str] = ReorderBuffer(1)
        await buffer.reserve()
        with trio.move_on_after(1) as scope:
            await buffer.reserve()
        assert scope.cancelled_caught
        buffer.evict(0)
        assert await buffer.reserve() == 1

    run(main)


def test_waiting_for_empty_ends_when_the_last_ticket_leaves(run: Run) -> None:
    """A flush lasts exactly as long as something is pending."""

    async def main() -> None:
        buffer: ReorderBuffer[str] = ReorderBuffer(2)
        await buffer.wait_empty()
        await buffer.reserve()

        async def finish() -> None:
            await trio.sleep(3)
            buffer.complete(0, "a")
            buffer.take_ready()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(finish)
            await buffer.wait_empty()
            assert trio.current_time() == 3.0

    run(main)


def test_completing_twice_or_after_eviction_is_a_named_error(run: Run) -> None:
    """Nothing can be delivered twice: the error says what became of the ticket."""

    async def main() -> None:
        buffer: ReorderBuffer[str] = ReorderBuffer(3)
        for _ in range(3):
            await buffer.reserve()
        buffer.complete(1, "b")
        with pytest.raises(TicketError, match="it has a result"):
            buffer.complete(1, "again")
        buffer.evict(2)
        with pytest.raises(TicketError, match="it left or was evicted"):
            buffer.complete(2, "late")
        with pytest.raises(TicketError, match="it was never issued"):
            buffer.complete(9, "whose?")
        with pytest.raises(TicketError, match=r"ticket must be in \[0, 3\), got 3"):
            buffer.evict(3)

    run(main)


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_buffer_without_room_is_refused(size: int) -> None:
    """A buffer that can hold nothing would make everybody wait for ever."""
    with pytest.raises(PlanError, match="max_pending must be a whole number >= 1"):
        ReorderBuffer(size)
