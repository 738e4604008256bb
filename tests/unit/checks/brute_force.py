"""Linearizability by its definition: every choice of unknown operations, in every order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import TypeVar

from chaoscheck.checks.linearizability import NotLinearizable, linearizable
from chaoscheck.checks.model import Model
from chaoscheck.checks.verdict import Verdict
from chaoscheck.history.operations import OperationRecord
from tests.unit.checks.small_histories import seen_until

__all__ = ["difference", "has_linearization", "may_follow"]

S = TypeVar("S")

_BEYOND = 10**6  # After every position of a small history.


def has_linearization(operations: Iterable[OperationRecord], model: Model[S]) -> bool:
    """Whether each key's operations have an order that the model allows."""
    parts: dict[object, list[OperationRecord]] = {}
    for operation in operations:
        if operation.status != "failed":
            key = None if model.partition is None else model.partition(operation)
            parts.setdefault(key, []).append(operation)
    return all(any(_allowed(order, model) for order in _orders(part)) for part in parts.values())


def may_follow(operation: OperationRecord, earlier: OperationRecord) -> bool:
    """Whether ``operation`` may come after ``earlier``: it had not ended before that began."""
    ended = operation.completed if operation.status == "ok" else None
    return ended is None or ended > earlier.invoked


def _orders(operations: Sequence[OperationRecord]) -> Iterator[tuple[OperationRecord, ...]]:
    required = [each for each in operations if each.status == "ok"]
    optional = [each for each in operations if each.status != "ok"]
    for count in range(len(optional) + 1):
        for chosen in combinations(optional, count):
            yield from filter(_keeps_time, permutations([*required, *chosen]))


def _keeps_time(order: Sequence[OperationRecord]) -> bool:
    return all(may_follow(later, earlier) for earlier, later in combinations(order, 2))


def _allowed(order: Sequence[OperationRecord], model: Model[S]) -> bool:
    states = {model.initial}
    for operation in order:
        if operation.status == "in flight":
            operation = replace(operation, status="unknown", completed=_BEYOND)
        states = {after for state in states for after in model.step(state, operation)}
    return bool(states)


def difference(operations: tuple[OperationRecord, ...], model: Model[S]) -> str | None:
    """What the checker says otherwise than the definition; None: nothing.

    A violation's witness must be true as well: its order is one that the model allows and holds
    all that ended before the break; up to the event before the break the history has a
    linearization, and with it there is none, given what everybody answers in the end.
    """
    expected = has_linearization(operations, model)
    verdict = linearizable(operations, model)
    if expected != verdict.ok:
        return f"the definition says {expected}, the checker {verdict.finding.name}"
    return None if expected else _false_witness(operations, model, verdict)


def _false_witness(
    operations: tuple[OperationRecord, ...], model: Model[S], verdict: Verdict
) -> str | None:
    (breach,) = verdict.witness
    assert isinstance(breach, NotLinearizable)
    order = [operation for operation, _ in breach.order]
    at = breach.stuck[0][0].completed
    assert at is not None
    # Only the key concerned breaks there, and what failed had no effect at any time.
    key = model.key_of(breach.stuck[0][0])
    own = tuple(
        each for each in operations if each.status != "failed" and model.key_of(each) == key
    )
    knowing = _with_hindsight(own, model)
    if not has_linearization(seen_until(own, at - 1), knowing):
        return "the history has no linearization before its break"
    if has_linearization(seen_until(own, at), knowing):
        return "the history has a linearization at its break"
    ended = {one.number for one in own if one.status == "ok" and (one.completed or at) < at}
    if not ended <= {operation.number for operation in order}:
        return "the witness lacks an operation that had ended"
    if not _keeps_time(order):
        return "the witness is out of order"
    return None if _leads_to(breach, model) else "the model does not allow the witness"


def _with_hindsight(operations: Iterable[OperationRecord], model: Model[S]) -> Model[S]:
    """The model that knows what operations will answer that are still in flight."""
    told = {operation.number: operation for operation in operations}

    def step(state: S, operation: OperationRecord) -> Iterable[S]:
        known = told[operation.number]
        return model.step(state, known if known.status == "ok" else operation)

    return replace(model, step=step)


def _leads_to(breach: NotLinearizable, model: Model[S]) -> bool:
    state = model.initial
    for operation, after in breach.order:
        if operation.status == "in flight":
            operation = replace(operation, status="unknown", completed=_BEYOND)
        following = list(model.step(state, operation))
        if after not in following:
            return False
        state = following[following.index(after)]
    return bool(state == breach.state)
