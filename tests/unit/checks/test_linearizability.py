"""Linearizability: what passes, what breaks, with which witness, and what is not decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chaoscheck.checks.linearizability import NotLinearizable, linearizable
from chaoscheck.checks.model import Model
from chaoscheck.checks.verdict import Finding, Verdict
from chaoscheck.errors import PlanError
from chaoscheck.history.operations import History, OperationRecord
from chaoscheck.world.choices import SeededChoices
from models.counter import counter_step
from models.register import register_step
from tests.unit.checks.broken_checkers import BROKEN_CHECKERS
from tests.unit.checks.brute_force import difference, has_linearization
from tests.unit.checks.small_histories import MODELS, random_history

COUNTER = Model.of(0, counter_step, name="counter")
REGISTER = Model.of(None, register_step, name="register")

Case = tuple[tuple[OperationRecord, ...], Model[int]]

BLOCK = 125
# Among these each of the mistakes shows; some need a rare history, and ci/soak looks at more.
TWIN_HISTORIES = (0, 1500)


def lost_update() -> History:
    """Two increments at once, and both answer 1."""
    history = History()
    history.invoke("increment", client="ann")
    history.invoke("increment", client="bob")
    history.complete(1, "ok", 1)
    history.complete(2, "ok", 1)
    return history


def breach(verdict: Verdict) -> NotLinearizable:
    """The one breach of a violated verdict."""
    (found,) = verdict.witness
    assert isinstance(found, NotLinearizable)
    return found


def test_overlapping_operations_may_take_effect_in_either_order() -> None:
    """The second to be invoked may be the first to count."""
    history = History()
    history.invoke("increment")
    history.invoke("increment")
    history.complete(1, "ok", 2)
    history.complete(2, "ok", 1)

    assert linearizable(history, COUNTER).ok
    assert linearizable(History(), COUNTER).ok


def test_one_after_the_other_has_one_order() -> None:
    """What ended before another began comes first."""
    history = History()
    history.invoke("increment")
    history.complete(1, "ok", 2)
    history.invoke("increment")
    history.complete(2, "ok", 1)

    assert Finding.VIOLATED is linearizable(history, COUNTER).finding


def test_a_lost_update_is_found_and_told() -> None:
    """I see the longest prefix with an order, what cannot come next and why, and who did what."""
    found = breach(linearizable(lost_update(), COUNTER))

    assert [(1, 1)] == [(operation.number, state) for operation, state in found.order]
    assert 1 == found.state
    assert [(2, "→ 1: the model answers 2")] == [(one.number, why) for one, why in found.stuck]
    assert [
        "VIOLATED",
        "  linearizability: no order explains increment() → 1 of bob (model counter)",
        "    up to there, this order explains all (first in state 0):",
        "      1. increment() → 1  [ann]  state 1",
        "    then, in state 1, none of these can come next:",
        "      increment()  [bob]  → 1: the model answers 2",
        "    as it happened:",
        "               ann                         bob",
        "        0.000s increment()",
        "      >                                    increment()",
        "               → 1",
        "      >                                    → 1",
    ] == str(linearizable(lost_update(), COUNTER)).splitlines()


def test_a_failed_operation_had_no_effect() -> None:
    """A refused increment is not counted; one that may have happened may be."""
    history = lost_update()
    refused = [replace(each, status="failed") if each.number == 1 else each for each in history]
    doubtful = [replace(each, status="unknown") if each.number == 1 else each for each in history]

    assert linearizable(refused, COUNTER).ok
    assert linearizable(doubtful, COUNTER).ok


@pytest.mark.parametrize("ended", [True, False])
def test_an_unknown_operation_may_take_effect_long_after(ended: bool) -> None:
    """A write whose answer was lost may arrive between two later reads, once."""
    history = History()
    history.invoke("write", {"value": "x"})
    if ended:
        history.complete(1, "unknown")
    for result in (None, "x"):
        history.complete(history.invoke("read"), "ok", result)
    assert linearizable(history, REGISTER).ok

    history.complete(history.invoke("read"), "ok", None)
    assert Finding.VIOLATED is linearizable(history, REGISTER).finding


def test_an_operation_that_was_never_joined_is_named() -> None:
    """What is in flight at the end is counted as unknown, and said to have never ended."""
    history = lost_update()
    history.invoke("read", client="cid")
    history.complete(history.invoke("increment", client="dan"), "ok", 1)
    operations = [each for each in history if each.number != 2]
    text = str(linearizable(operations, COUNTER))

    assert "read()  [cid]  never ended; it may have happened or not" in text
    assert "never ended: read() of cid" in text


def test_each_key_is_judged_alone() -> None:
    """With a partition a break is found in its key, and named with it."""
    history = History()
    for client, result in (("a", 1), ("b", 1), ("b", 3)):
        history.complete(history.invoke("increment", client=client), "ok", result)
    by_client = replace(COUNTER, partition=lambda operation: operation.client)
    found = breach(linearizable(history, by_client))

    assert "no order explains increment() → 3 of b (model counter, key 'b')" == found.what
    assert {"b"} == {operation.client for operation in found.history}


def test_a_model_tells_its_operations_in_its_own_words() -> None:
    """The text of an operation is mine to choose; a text that fails is named."""
    spoken = replace(COUNTER, tell=lambda operation: f"count up by {operation.client}")
    assert "no order explains count up by bob → 1" in str(linearizable(lost_update(), spoken))

    broken = replace(COUNTER, tell=lambda operation: str(1 // 0))
    with pytest.raises(PlanError, match="tell of model 'counter' raised ZeroDivisionError"):
        linearizable(lost_update(), broken)


def many(count: int) -> History:
    """All of ``count`` increments at once, answering backwards."""
    history = History()
    for _ in range(count):
        history.invoke("increment")
    for number in range(1, count + 1):
        history.complete(number, "ok", count + 1 - number)
    return history


def test_a_history_beyond_the_budget_is_not_decided() -> None:
    """Out of budget is UNKNOWN: it names the history, what was reached, and what to do."""
    assert linearizable(many(8), COUNTER).ok
    verdict = linearizable(many(8), COUNTER, budget=5)

    assert Finding.UNKNOWN is verdict.finding
    assert "within the budget of 5 configurations: 8 operations, 0 of them unknown" in str(verdict)
    with pytest.raises(AssertionError, match="nothing was proven: UNKNOWN"):
        verdict.require()


def test_a_break_elsewhere_is_found_though_one_key_is_beyond_the_budget() -> None:
    """What is proven wrong is wrong, whatever else is not known."""
    late = [
        replace(each, number=each.number + 8, client="late", invoked=each.invoked + 99,
                completed=(each.completed or 0) + 99)
        for each in lost_update()
    ]  # fmt: skip
    by_client = replace(COUNTER, partition=lambda operation: operation.client == "late")

    verdict = linearizable([*many(8), *late], by_client, budget=5)
    assert Finding.VIOLATED is verdict.finding


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_must_be_positive(budget: int) -> None:
    """A check that may not look is refused."""
    with pytest.raises(PlanError, match=f"at least 1 configuration, got {budget}"):
        linearizable(History(), COUNTER, budget=budget)


def test_what_is_no_history_is_refused() -> None:
    """Two events at one position, or one number twice, have no order to judge."""
    first, second = lost_update()
    with pytest.raises(PlanError, match="got one number twice"):
        linearizable([first, replace(second, number=1)], COUNTER)
    with pytest.raises(PlanError, match=r"several at \[2\]"):
        linearizable([first, replace(second, completed=2)], COUNTER)


def test_many_lost_answers_that_are_alike_are_not_tried_in_every_order() -> None:
    """Forty increments that may have happened are judged within the budget."""
    history = History()
    for _ in range(40):
        history.complete(history.invoke("increment"), "unknown")
    history.complete(history.invoke("read"), "ok", 41)

    assert Finding.VIOLATED is linearizable(history, COUNTER, budget=2000).finding


def test_a_long_story_is_cut_to_its_end() -> None:
    """A break after a thousand operations is told in a page."""
    history = History()
    for result in (*range(1, 1001), 1000):
        history.complete(history.invoke("increment", client="ann"), "ok", result)
    text = str(linearizable(history, COUNTER))

    assert "... 988 operations before" in text
    assert "... 1942 earlier events" in text
    assert len(text.splitlines()) < 100


def small_histories(first: int, count: int) -> Iterator[Case]:
    """Random histories of up to six operations, and the models that they are judged by."""
    source = SeededChoices(0)
    for number in range(first, first + count):
        model = MODELS[number % len(MODELS)]
        yield random_history(source.derive("history", number), model), model


@pytest.mark.parametrize("block", range(16))
def test_the_checker_equals_the_definition(block: int) -> None:
    """On small histories it says what trying every order says, with a true witness."""
    cases = small_histories(block * BLOCK, BLOCK)

    assert [None] * BLOCK == [difference(operations, model) for operations, model in cases]


def test_the_small_histories_are_of_both_kinds() -> None:
    """The comparison would prove little if all of them had an order, or none."""
    found = [has_linearization(*case) for case in small_histories(0, 60)]

    assert 15 < sum(found) < 45


@pytest.mark.parametrize("name", BROKEN_CHECKERS)
def test_a_broken_checker_is_caught(name: str) -> None:
    """The comparison sees each mistake that a checker may well make."""
    checker = BROKEN_CHECKERS[name]
    cases = small_histories(*TWIN_HISTORIES)

    assert any(checker(*case) != has_linearization(*case) for case in cases)
