"""Models: what a step may give, and how a model that cannot be used is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chaoscheck.checks.linearizability import linearizable
from chaoscheck.checks.model import Model
from chaoscheck.errors import PlanError
from chaoscheck.history.operations import History, OperationRecord
from models.counter import counter_step
from models.lock import lock_step

COUNTER = Model.of(0, counter_step)


def counted(*, overlapping: bool) -> History:
    """Two increments, one after the other or at once."""
    history = History()
    first = history.invoke("increment")
    if overlapping:
        second = history.invoke("increment")
        history.complete(first, "ok", 1)
    else:
        history.complete(first, "ok", 1)
        second = history.invoke("increment")
    history.complete(second, "ok", 2)
    return history


def asked(name: str, result: object = None, **changes: Any) -> OperationRecord:
    """One operation that ended."""
    record = OperationRecord(
        number=1, client="a", name=name, invoked=0, completed=1, status="ok", result=result
    )
    return replace(record, **changes)


def test_a_deterministic_model_follows_its_answer() -> None:
    """An answer that the model would not give cannot have happened."""
    assert (1,) == COUNTER.following(0, asked("increment", 1))
    assert () == COUNTER.following(0, asked("increment", 2))
    assert (1,) == COUNTER.following(0, asked("increment", status="unknown"))
    assert "counter_step" == COUNTER.name


def test_what_cannot_happen_here_is_none() -> None:
    """A lock that is held is not acquired, whatever the answer was."""
    lock = Model.of(None, lock_step)
    acquire = asked("acquire", argument={"owner": "b"})

    assert ("b",) == lock.following(None, acquire)
    assert () == lock.following("a", acquire)
    assert () == lock.following("a", replace(acquire, status="unknown"))


def test_an_answer_that_equals_only_itself_may_be_given() -> None:
    """A register may hold NaN."""
    nan = float("nan")
    model = Model.of(nan, lambda held, name, argument: (held, held), name="constant")

    assert (nan,) == model.following(nan, asked("read", nan))


def test_the_states_of_a_set_have_one_order_in_every_process() -> None:
    """The witness of a violation does not depend on the hash seed."""
    model = Model(name="words", initial="", step=lambda state, operation: {"c", "a", "b"})

    assert ("a", "b", "c") == model.following("", asked("say"))


def raises(state: int, operation: OperationRecord) -> tuple[int, ...]:
    """A step with a mistake in it."""
    raise KeyError("by")


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize(
    ("step", "what"),
    [
        (raises, r"model 'm' raised KeyError at operation 1 \(increment\) in state 0: 'by'"),
        (lambda state, operation: ([state],), r"'m' must have hashable states, got \[0\]"),
        (lambda state, operation: "01", r"'m' must give an iterable of states .* got '01'"),
        (lambda state, operation: 1, r"'m' must give an iterable of states .* got 1"),
        (lambda state, operation: (1 // each for each in (0,)), "'m' raised ZeroDivisionError"),
    ],
)
def test_a_model_that_cannot_be_used_is_named(
    step: Callable[..., Any], what: str, overlapping: bool
) -> None:
    """I learn which model, at which operation, in which state; with the cause chained."""
    with pytest.raises(PlanError, match=what):
        linearizable(counted(overlapping=overlapping), Model(name="m", initial=0, step=step))


def test_an_initial_state_that_is_not_hashable_is_named() -> None:
    """A list is no state, also where nothing happens."""
    with pytest.raises(PlanError, match=r"must have hashable states, got \[\]"):
        linearizable(History(), Model(name="m", initial=[], step=lambda state, operation: ()))


@pytest.mark.parametrize("key", [lambda each: [1], lambda each: each.argument["key"]])
def test_a_partition_that_gives_no_key_is_named(key: Callable[..., Any]) -> None:
    """A partition that fails is not taken for one key."""
    with pytest.raises(PlanError, match="partition of model 'counter_step' must give a hashable"):
        linearizable(counted(overlapping=True), replace(COUNTER, partition=key))
