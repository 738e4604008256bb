"""Linearizability: did every operation take effect at one instant while it was in flight?

A history is linearizable if its ok operations, and any of its unknown ones, have an order that
the model allows and in which nobody comes before an operation that had completed before it was
invoked. Failed operations had no effect and are left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from chaoscheck.checks.interleaving import call_text, end_text, interleaving, value_text
from chaoscheck.checks.linearization import BudgetSpent, DeadEnd, Search
from chaoscheck.checks.model import Model
from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError
from chaoscheck.history.operations import OperationRecord

__all__ = ["BUDGET_CONFIGURATIONS", "NotLinearizable", "linearizable"]

S = TypeVar("S")

# A configuration costs about 1.5 µs and 200 bytes: 1000 operations of 8 clients on one key need
# 10 000 when they are linearizable and 35 000 when they are not. This many take half a second.
BUDGET_CONFIGURATIONS = 300_000

_ORDER_LINES_MAX = 12
_EVENTS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLinearizable(Breach):
    """A history up to the completion that no order explains, given what was answered in the end.

    ``order`` is the longest linearizable prefix: (operation, the model's state after it), first
    to last, leading to ``state``. ``stuck`` are the operations that would have to come next, the
    one whose completion breaks the history first, each with the reason why it cannot.
    ``history`` holds what was invoked before that completion, of the one key concerned.
    """

    model: Model[Any]
    order: tuple[tuple[OperationRecord, object], ...]
    state: object
    stuck: tuple[tuple[OperationRecord, str], ...]
    history: tuple[OperationRecord, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.law}: {self.what}", *(f"    {line}" for line in self.lines())])

    def lines(self) -> Iterator[str]:
        """The longest linearizable prefix, what cannot come next, and the interleaving."""
        hidden = max(0, len(self.order) - _ORDER_LINES_MAX)
        first = value_text(self.model.initial)
        yield f"up to there, this order explains all (first in state {first}):"
        if hidden:
            yield f"  ... {hidden} operations before"
        for number, (operation, state) in enumerate(self.order[hidden:], start=hidden + 1):
            told = f"{_told(self.model, operation)} {end_text(operation)}"
            yield f"  {number}. {told}  [{operation.client}]  state {value_text(state)}"
        if not self.order:
            yield "  (nothing)"
        yield f"then, in state {value_text(self.state)}, none of these can come next:"
        for operation, why in self.stuck:
            yield f"  {_told(self.model, operation)}  [{operation.client}]  {why}"
        # What is still in flight at the break ends later, and its answer is part of the case.
        until = max(each.completed or 0 for each, _ in self.stuck if each.status == "ok")
        yield "as it happened:"
        drawn = interleaving(
            self.history,
            highlight={self.stuck[0][0].number},
            until=until,
            events_max=_EVENTS_MAX,
            width=94,
            tell=lambda operation: _told(self.model, operation),
        )
        yield from (f"  {line}" for line in drawn.splitlines())


def linearizable(
    history: Iterable[OperationRecord],
    model: Model[S],
    *,
    budget: int = BUDGET_CONFIGURATIONS,
) -> Verdict:
    """Judge ``history`` against ``model``: OK, VIOLATED with a ``NotLinearizable``, or UNKNOWN.

    ``budget`` is how many configurations (which operations are placed, in which state) are looked
    at for each key before the verdict is UNKNOWN. PlanError if the model raises, has states that
    are not hashable, or the history is not one: two events at one position, one number twice.
    """
    if budget < 1:
        raise PlanError(f"budget must be at least 1 configuration, got {budget}")
    model.check_state(model.initial)
    parts: dict[Hashable, list[OperationRecord]] = {}
    key_of = model.key_of
    for operation in _in_order(history):
        if operation.status != "failed":
            parts.setdefault(key_of(operation), []).append(operation)
    undecided: list[Breach] = []
    # The shortest part first: what breaks there makes the shorter story.
    for key, operations in sorted(parts.items(), key=lambda part: len(part[1])):
        search = Search(operations, model, budget)
        try:
            if search.run():
                continue
        except BudgetSpent:
            undecided.append(_undecided(operations, key, search, model, budget))
            continue
        assert search.farthest is not None
        return Verdict.of((_violated(operations, key, search.farthest, model),))
    return Verdict.of((), tuple(undecided))


def _in_order(history: Iterable[OperationRecord]) -> list[OperationRecord]:
    """The operations by invocation. PlanError if they do not stand in one total order."""
    operations = sorted(history, key=attrgetter("invoked"))
    if len({operation.number for operation in operations}) < len(operations):
        raise PlanError("a history must number its operations, got one number twice")
    positions = [operation.invoked for operation in operations]
    positions += [each.completed for each in operations if each.completed is not None]
    if len({*positions}) < len(positions):
        twice = sorted({one for one in positions if positions.count(one) > 1})
        raise PlanError(
            f"a history must have one event at each position, got several at {twice[:5]}"
        )
    return operations


def _violated(
    operations: Sequence[OperationRecord], key: Hashable, end: DeadEnd[S], model: Model[S]
) -> NotLinearizable:
    order = end.order()
    placed = {operation.number for operation, _ in order}
    break_at = end.blocked.completed
    assert break_at is not None
    before = tuple(each for each in operations if each.invoked < break_at)
    left = [each for each in before if each.number not in placed and each is not end.blocked]
    stuck = [(each, _why_not(each, end.state, model)) for each in (end.blocked, *left)]
    blocked = end.blocked
    return NotLinearizable(
        law="linearizability",
        what=f"no order explains {_told(model, blocked)} {end_text(blocked)} of {blocked.client} "
        f"(model {model.name}{_of_key(key, model)})",
        evidence=(end.blocked,),
        model=model,
        order=tuple(order),
        state=end.state,
        stuck=tuple(stuck),
        history=before,
    )


def _undecided(
    operations: Sequence[OperationRecord],
    key: Hashable,
    search: Search[S],
    model: Model[S],
    budget: int,
) -> Breach:
    unknown = sum(operation.status != "ok" for operation in operations)
    reached = "nothing was ruled out yet"
    if search.farthest is not None:
        blocked = search.farthest.blocked
        reached = (
            f"it got as far as the completion of operation {blocked.number} "
            f"({_told(model, blocked)} of {blocked.client})"
        )
    return Breach(
        law="linearizability",
        what=f"not decided within the budget of {budget} configurations: {len(operations)} "
        f"operations, {unknown} of them unknown, of model {model.name}{_of_key(key, model)}; "
        f"{reached}. Give a larger budget, a shorter history, or a model with a partition",
        evidence=() if search.farthest is None else (search.farthest.blocked,),
    )


def _why_not(operation: OperationRecord, state: S, model: Model[S]) -> str:
    """Why ``operation`` cannot come next in ``state``."""
    if not operation.ended:
        return "never ended; it may have happened or not, here it changes nothing"
    if operation.status == "unknown":
        return f"{end_text(operation)}: it may have happened or not, here it changes nothing"
    answered = end_text(operation)
    if model.answer is None:
        return f"{answered}: the model does not allow it"
    try:
        expected = model.answer(state, operation)
    except Exception:  # No answer is known for what cannot happen; the reason says as much.
        return f"{answered}: it cannot happen here"
    if expected is operation.result or expected == operation.result:
        return f"{answered}: the model allows it, but nothing that can follow"
    return f"{answered}: the model answers {value_text(expected)}"


def _told(model: Model[Any], operation: OperationRecord) -> str:
    """The text of an invocation, by the model if it has its own."""
    if model.tell is None:
        return call_text(operation)
    try:
        return str(model.tell(operation))
    except Exception as error:
        raise PlanError(
            f"the tell of model {model.name!r} raised {type(error).__name__} at operation "
            f"{operation.number} ({operation.name}): {error}"
        ) from error


def _of_key(key: Hashable, model: Model[Any]) -> str:
    return "" if model.partition is None else f", key {value_text(key)}"
