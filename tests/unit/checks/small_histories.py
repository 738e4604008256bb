"""Random small histories, and models that are deterministic, partial and nondeterministic."""

from __future__ import annotations

from dataclasses import replace

from chaoscheck.checks.model import Model
from chaoscheck.history.operations import OperationRecord
from chaoscheck.world.choices import SeededChoices

__all__ = ["MODELS", "random_history", "seen_until"]

OPERATIONS_MAX = 6
_STATUSES = ("ok", "ok", "ok", "ok", "ok", "unknown", "unknown", "failed")
_ARGUMENTS = (0, 1, 2)


def _register(held: int, name: str, argument: object) -> tuple[int, object]:
    assert isinstance(argument, int)
    if name == "write":
        return argument, None
    if name == "swap":
        return argument, held
    return held, held


def _counter(count: int, name: str, argument: object) -> tuple[int, object]:
    assert isinstance(argument, int)
    return (count, count) if name == "read" else (count + argument, count + argument)


def _lock(holder: int, name: str, argument: object) -> tuple[int, object] | None:
    """A lock held by 0 is free; who releases it need not hold it, but somebody must."""
    assert isinstance(argument, int)
    if name == "read":
        return holder, holder
    if name == "write":
        return (argument + 1, None) if holder == 0 else None
    return (0, holder) if holder else None


def _loose_register(held: int, operation: OperationRecord) -> frozenset[int]:
    """A write may be lost, or be the next number; a read answers what is held."""
    assert isinstance(operation.argument, int)
    if operation.name == "write":
        return frozenset({held, operation.argument, (operation.argument + 1) % 3})
    if operation.name == "swap":
        return frozenset({operation.argument, held}) if _answers(operation, held) else frozenset()
    return frozenset({held}) if _answers(operation, held) else frozenset()


def _answers(operation: OperationRecord, held: int) -> bool:
    return operation.status == "unknown" or operation.result == held


MODELS: tuple[Model[int], ...] = (
    Model.of(0, _register, name="register"),
    Model.of(0, _counter, name="counter"),
    Model.of(0, _lock, name="lock"),
    Model(name="loose register", initial=0, step=_loose_register),
    Model.of(0, _register, name="registers", partition=lambda one: int(one.client) % 2),
)


def random_history(choices: SeededChoices, model: Model[int]) -> tuple[OperationRecord, ...]:
    """Up to six operations whose answers are often, but not always, what ``model`` allows.

    The answers are taken from a run in a random order, which the history may or may not permit;
    one in four is then drawn anew.
    """
    count = 1 + choices.pick("count", OPERATIONS_MAX)
    slots = [number for number in range(count) for _ in range(2)]
    order = [slots.pop(choices.pick("event", len(slots))) for _ in range(2 * count)]
    operations = [
        OperationRecord(
            number=number + 1,
            client=str(choices.pick("client", 2)),
            name=("read", "write", "swap")[choices.pick("name", 3)],
            argument=_ARGUMENTS[choices.pick("argument", 3)],
            invoked=order.index(number),
            completed=2 * count - 1 - order[::-1].index(number),
            status="ok",
        )
        for number in range(count)
    ]
    state: dict[object, int] = {}
    waiting = sorted(operations, key=lambda each: each.invoked)
    for place in range(count):
        # Mostly in order of invocation, so that many histories are linearizable.
        operation = waiting.pop(min(choices.pick("turn", 3), len(waiting) - 1) if place else 0)
        answered, state = _answered(operation, model, state, choices)
        operations[answered.number - 1] = _ended(answered, choices)
    return tuple(sorted(operations, key=lambda each: each.invoked))


def _answered(
    operation: OperationRecord, model: Model[int], states: dict[object, int], choices: SeededChoices
) -> tuple[OperationRecord, dict[object, int]]:
    """``operation`` with an answer that the model allows now, if there is one."""
    key = model.key_of(operation)
    held = states.get(key, model.initial)
    for result in (held, None, *range(8)):
        asked = replace(operation, result=result)
        following = model.following(held, asked)
        if following:
            return asked, {**states, key: following[choices.pick("state", len(following))]}
    return replace(operation, result=held), states


def _ended(operation: OperationRecord, choices: SeededChoices) -> OperationRecord:
    status = _STATUSES[choices.pick("status", len(_STATUSES))]
    if status == "unknown":
        if choices.pick("ended", 3) == 0:
            return replace(operation, status="in flight", completed=None, result=None)
        return replace(operation, status="unknown", result=None)
    if status == "failed":
        return replace(operation, status="failed", result=None)
    if choices.pick("lie", 6) == 0:
        return replace(operation, result=choices.pick("result", 4))
    return operation


def seen_until(
    operations: tuple[OperationRecord, ...], position: int
) -> tuple[OperationRecord, ...]:
    """The history up to ``position``, that event included; what ended later is in flight."""
    begun = (each for each in operations if each.invoked <= position)
    return tuple(
        replace(each, status="in flight", completed=None, result=None)
        if each.completed is not None and each.completed > position
        else each
        for each in begun
    )
