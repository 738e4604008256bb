"""Broken twins of the linearizability checker: each makes one mistake that is easy to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any
from unittest import mock

from chaoscheck.checks import linearizability
from chaoscheck.checks.linearizability import linearizable
from chaoscheck.checks.linearization import Ends, Placed, Search
from chaoscheck.checks.model import Model
from chaoscheck.history.operations import OperationRecord

__all__ = ["BROKEN_CHECKERS"]

Operations = tuple[OperationRecord, ...]
Checker = Callable[[Operations, Model[Any]], bool]


def forgets_failures(operations: Operations, model: Model[Any]) -> bool:
    """Failed operations may have had an effect."""
    return linearizable(_with_status(operations, "failed", "unknown"), model).ok


def drops_the_unknown(operations: Operations, model: Model[Any]) -> bool:
    """Unknown operations never had an effect."""
    return linearizable(_with_status(operations, "unknown", "failed"), model).ok


def drops_what_is_in_flight(operations: Operations, model: Model[Any]) -> bool:
    """Operations that never ended never had an effect."""
    return linearizable([each for each in operations if each.ended], model).ok


def wants_the_unknown(operations: Operations, model: Model[Any]) -> bool:
    """Unknown operations must have had their effect."""
    unknown = [each.number for each in operations if each.status in ("unknown", "in flight")]
    return _with_these(operations, model, unknown, late=True)


def ends_the_unknown(operations: Operations, model: Model[Any]) -> bool:
    """Unknown operations have their effect before their completion, or never."""
    unknown = [each.number for each in operations if each.status in ("unknown", "in flight")]
    return any(
        _with_these(operations, model, chosen, late=False)
        for count in range(len(unknown) + 1)
        for chosen in combinations(unknown, count)
    )


def ignores_time(operations: Operations, model: Model[Any]) -> bool:
    """Any order will do, as in sequential consistency without clients."""
    count = len(operations)
    return linearizable(
        [
            replace(each, invoked=place, completed=each.completed and count + place)
            for place, each in enumerate(operations)
        ],
        model,
    ).ok


def takes_the_first_state(operations: Operations, model: Model[Any]) -> bool:
    """Of several states that may follow, only one is tried."""

    def step(state: Any, operation: OperationRecord) -> tuple[Any, ...]:
        return model.following(state, operation)[:1]

    return linearizable(operations, replace(model, step=step)).ok


def confuses_states(operations: Operations, model: Model[Any]) -> bool:
    """The memo forgets the state and remembers only what was placed."""

    def step(state: _Alike, operation: OperationRecord) -> list[_Alike]:
        return [_Alike(after) for after in model.following(state.state, operation)]

    return linearizable(operations, replace(model, initial=_Alike(model.initial), step=step)).ok


def takes_the_first_end(operations: Operations, model: Model[Any]) -> bool:
    """A stretch that may end in several states is left in the first of them."""
    with mock.patch.object(linearizability, "Search", _Hasty):
        return linearizable(operations, model).ok


def mixes_the_keys(operations: Operations, model: Model[Any]) -> bool:
    """Keys that never touch each other are judged as one."""
    return linearizable(operations, replace(model, partition=None)).ok


BROKEN_CHECKERS: Mapping[str, Checker] = {
    checker.__name__: checker
    for checker in (
        forgets_failures,
        drops_the_unknown,
        drops_what_is_in_flight,
        wants_the_unknown,
        ends_the_unknown,
        ignores_time,
        takes_the_first_state,
        confuses_states,
        takes_the_first_end,
        mixes_the_keys,
    )
}


@dataclass(frozen=True)
class _Alike:
    """A state that equals every other."""

    state: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike)

    def __hash__(self) -> int:
        return 0


class _Hasty(Search[Any]):
    """It takes only the first end of every stretch."""

    def _add_tangle(
        self, required: Sequence[OperationRecord], optional: Sequence[OperationRecord]
    ) -> None:
        super()._add_tangle(required, optional)
        ends = self._stretches[-1]

        def first(state: Any, placed: Placed) -> Ends[Any]:
            return islice(ends(state, placed), 1)

        self._stretches[-1] = first


def _with_status(operations: Operations, before: str, after: Any) -> Operations:
    return tuple(
        replace(each, status=after) if each.status == before else each for each in operations
    )


def _with_these(
    operations: Operations, model: Model[Any], happened: Sequence[int], *, late: bool
) -> bool:
    """Whether it is linearizable if exactly ``happened`` of the unknown operations did happen."""
    beyond = 2 * len(operations)

    def ended(operation: OperationRecord) -> OperationRecord:
        if operation.number not in happened:
            return operation
        completed = beyond + operation.number if late else operation.completed
        return replace(operation, status="ok", completed=completed or beyond + operation.number)

    def step(state: Any, operation: OperationRecord) -> Any:
        if operation.number in happened:
            operation = replace(operation, status="unknown")
        return model.step(state, operation)

    left = [each for each in operations if each.status == "ok" or each.number in happened]
    return linearizable(list(map(ended, left)), replace(model, step=step)).ok
