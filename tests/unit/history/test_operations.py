"""Operations and histories: what is recorded, in which order, and what cannot be."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.history.operations import History, OperationRecord


def two_overlapping() -> History:
    """b begins and ends while a is in flight."""
    times = chain((0.0, 1.0, 2.5, 4.0), repeat(9.0))
    history = History(lambda: next(times))
    history.invoke("add", {"by": 1}, client="a")
    history.invoke("read", client="b")
    history.complete(2, "ok", 7)
    history.complete(1, "unknown", error=TimeoutError("late"))
    return history


def test_invocations_and_completions_stand_in_one_order() -> None:
    """I see who overlapped whom, and when."""
    history = two_overlapping()

    assert [(1, 0, 3, 0.0, 4.0), (2, 1, 2, 1.0, 2.5)] == [
        (each.number, each.invoked, each.completed, each.invoked_at_s, each.completed_at_s)
        for each in history
    ]
    assert [("invoked", 1), ("invoked", 2), ("completed", 2), ("completed", 1)] == [
        (event.kind, event.operation.number) for event in history.events()
    ]
    assert [0.0, 1.0, 2.5, 4.0] == [event.at_s for event in history.events()]


def test_an_operation_keeps_what_was_asked_and_what_came_of_it() -> None:
    """Name, argument, answer and error are there to be judged."""
    first, second = two_overlapping()

    assert ("add", {"by": 1}, "unknown", None) == (
        first.name, first.argument, first.status, first.result,
    )  # fmt: skip
    assert isinstance(first.error, TimeoutError)
    assert ("read", None, "ok", 7) == (second.name, second.argument, second.status, second.result)


def test_an_operation_without_a_client_is_its_own() -> None:
    """Two calls that nobody owns are not taken for one client's."""
    history = History()
    history.invoke("get")
    history.invoke("get")

    assert ["get@1", "get@2"] == [each.client for each in history]


def test_what_never_ended_is_in_flight() -> None:
    """An operation that nobody joined stays visible, without a completion."""
    history = two_overlapping()
    number = history.invoke("stop")

    assert [number] == [each.number for each in history.in_flight()]
    assert ("in flight", None) == (history[number].status, history[number].completed)


def test_later_changes_do_not_reach_the_record() -> None:
    """My subject may reuse the list that it answered."""
    history, argument, result = History(), {"items": [1]}, [[1], (2, {3})]
    history.invoke("swap", argument)
    history.complete(1, "ok", result)
    argument["items"].append(2)
    result.clear()

    assert ({"items": [1]}, [[1], (2, {3})]) == (history[1].argument, history[1].result)


def test_a_value_that_contains_itself_is_recorded() -> None:
    """A strange value does not stop the recording."""
    endless: list[Any] = []
    endless.append(endless)
    history = History()

    assert 1 == history.invoke("put", endless)


def test_parts_keep_their_places() -> None:
    """What I pick out of a history can still be judged and drawn."""
    history = two_overlapping()

    assert [2] == [each.number for each in history.only(lambda each: each.name == "read")]
    parts = history.partition(lambda each: each.client)
    assert {"a": [0], "b": [1]} == {
        client: [each.invoked for each in part] for client, part in parts.items()
    }


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_completion_without_an_invocation_is_named(number: int) -> None:
    """A harness that mixes up its numbers hears of it at once."""
    history = History()
    history.invoke("get")

    with pytest.raises(PlanError, match=f"operation {number} completes without an invocation"):
        history.complete(number, "ok")
    with pytest.raises(PlanError, match=rf"must be in \[1, 1\], got {number}"):
        history[number]


def test_a_second_completion_is_named() -> None:
    """No operation ends twice."""
    history = two_overlapping()

    with pytest.raises(PlanError, match=r"operation 2 \(read\) completes twice: it is ok"):
        history.complete(2, "failed")


@pytest.mark.parametrize("status", ["done", "in flight", ""])
def test_an_unknown_status_is_refused(status: Any) -> None:
    """A misspelt end is not recorded as something else."""
    history = History()
    history.invoke("get")

    with pytest.raises(PlanError, match=r"must complete as one of \['ok', 'failed', 'unknown'\]"):
        history.complete(1, status)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"status": "done", "completed": 4}, "status of operation 1 must be one of"),
        ({"status": "ok"}, "must have a completion unless it is in flight"),
        ({"completed": 4}, "must have a completion unless it is in flight"),
        ({"status": "ok", "completed": 3}, "must complete after its invocation at 3"),
    ],
)
def test_a_record_that_cannot_be_is_refused(changes: dict[str, Any], what: str) -> None:
    """A history that I write by hand is held to the same rules."""
    with pytest.raises(PlanError, match=what):
        OperationRecord(number=1, client="a", name="get", invoked=3, **changes)
