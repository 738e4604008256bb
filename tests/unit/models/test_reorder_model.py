"""The reorder model's steps agree with the one-line law of what may have left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reorder import Operation, ReorderState, lawful_emission, reorder_step

OPERATIONS = st.lists(
    st.builds(Operation, st.sampled_from(["reserve", "complete", "evict"]), st.integers(-1, 6)),
    max_size=30,
)


@given(OPERATIONS, st.integers(1, 5))
def test_what_leaves_step_by_step_is_what_the_law_allows(
    operations: list[Operation], max_pending: int
) -> None:
    """After every operation the tickets that left are exactly the lawful ones."""
    state = ReorderState(max_pending=max_pending)
    evicted: list[int] = []
    finished: list[int] = []
    emitted: list[int] = []
    for operation in operations:
        step = reorder_step(state, operation)
        if operation.name == "complete" and step.refusal is None:
            finished.append(operation.ticket)
        if operation.name == "evict" and any(t == operation.ticket for t, _ in state.live):
            evicted.append(operation.ticket)
        state = step.state
        emitted += step.leaving

        assert lawful_emission(state.issued, evicted, finished, emitted)
        assert len(state.live) <= max_pending


@pytest.mark.parametrize("emitted", [[], [0], [2, 0], [0, 2, 2], [0, 1, 2]])
def test_an_emission_that_lacks_repeats_or_reorders_is_unlawful(emitted: list[int]) -> None:
    """Of tickets 0 to 2, of which 1 was evicted and 0 and 2 are finished, only 0, 2 is lawful."""
    assert not lawful_emission(3, [1], [2, 0], emitted)
    assert lawful_emission(3, [1], [2, 0], [0, 2])


def test_refusals_change_nothing() -> None:
    """Full, unknown and already finished are told apart."""
    state = ReorderState(max_pending=1, live=((4, True),), issued=5)
    operations = [
        Operation("reserve"),
        Operation("complete", 4),
        Operation("evict", 5),
        Operation("evict", 3),
    ]
    steps = [reorder_step(state, operation) for operation in operations]

    assert [step.refusal for step in steps[:3]] == ["full", "not_unfinished", "never_issued"]
    assert [step.state for step in steps[:3]] == [state] * 3
    assert steps[3].refusal is None
