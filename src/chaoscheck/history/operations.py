"""Operations and their history: who asked for what, when, and what came of it.

Every operation is an invocation and, later, a completion; all of them stand in one total order
of events. What overlaps in that order ran at the same time, and a checker may put it in either
order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

from chaoscheck.errors import PlanError

__all__ = ["End", "History", "OperationEvent", "OperationRecord", "Status", "events"]

K = TypeVar("K", bound=Hashable)

# ok: it took effect and answered. failed: it certainly had no effect. unknown: it may have its
# effect at any moment from its invocation on, also after its completion, or never.
End = Literal["ok", "failed", "unknown"]
Status = Literal["in flight", "ok", "failed", "unknown"]

# Containers are copied this deep when they are recorded; what lies deeper is kept as it is, so
# that a value that contains itself does no harm.
_COPY_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRecord:
    """One operation of a history.

    ``number`` counts from 1; ``client`` is who asked (a task, a process). ``invoked`` and
    ``completed`` are positions in the one total order of events, ``completed`` None while it is
    in flight; ``invoked_at_s`` and ``completed_at_s`` are virtual seconds. ``result`` is what it
    answered if it is ok, ``error`` the exception that ended it, if any. A checker treats what is
    in flight as unknown. PlanError for positions or a status that cannot be.
    """

    number: int
    client: str
    name: str
    argument: object = None
    invoked: int
    completed: int | None = None
    status: Status = "in flight"
    result: object = None
    error: BaseException | None = None
    invoked_at_s: float = 0.0
    completed_at_s: float | None = None

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise PlanError(
                f"the status of operation {self.number} must be one of "
                f"{list(get_args(Status))}, got {self.status!r}"
            )
        if (self.completed is None) != (self.status == "in flight"):
            raise PlanError(
                f"operation {self.number} must have a completion unless it is in flight, got "
                f"status {self.status!r} and completed {self.completed}"
            )
        if self.completed is not None and self.completed <= self.invoked:
            raise PlanError(
                f"operation {self.number} must complete after its invocation at "
                f"{self.invoked}, got {self.completed}"
            )

    @property
    def ended(self) -> bool:
        """Whether it is no longer in flight."""
        return self.completed is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEvent:
    """One end of an operation: at ``position`` of the total order, ``at_s`` virtual seconds."""

    position: int
    at_s: float
    kind: Literal["invoked", "completed"]
    operation: OperationRecord


def events(operations: Iterable[OperationRecord]) -> tuple[OperationEvent, ...]:
    """Every invocation and completion of ``operations``, in their total order."""
    found: list[OperationEvent] = []
    for each in operations:
        found.append(
            OperationEvent(
                position=each.invoked, at_s=each.invoked_at_s, kind="invoked", operation=each
            )
        )
        if each.completed is not None:
            at_s = each.invoked_at_s if each.completed_at_s is None else each.completed_at_s
            found.append(
                OperationEvent(position=each.completed, at_s=at_s, kind="completed", operation=each)
            )
    return tuple(sorted(found, key=lambda event: event.position))


class History:
    """An append-only recorder of operations. ``now`` gives the world's time in seconds.

    Lists, dicts, sets and tuples are copied when they are recorded, since a subject may go on
    changing what it was given or has returned; other values are kept as they are.
    """

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self._now = now
        self._operations: list[OperationRecord] = []
        self._position = 0

    def invoke(self, name: str, argument: object = None, *, client: str | None = None) -> int:
        """Record that ``client`` asked for ``name``; the answer is the operation's number.

        Without a client the operation is its own: ``name@number``.
        """
        number = len(self._operations) + 1
        self._operations.append(
            OperationRecord(
                number=number,
                client=f"{name}@{number}" if client is None else client,
                name=name,
                argument=_kept(argument),
                invoked=self._next_position(),
                invoked_at_s=self._now(),
            )
        )
        return number

    def complete(
        self,
        number: int,
        status: End,
        result: object = None,
        error: BaseException | None = None,
    ) -> None:
        """Record how operation ``number`` ended.

        PlanError for a number that was not invoked, an operation that has ended already, or a
        status other than ok, failed and unknown.
        """
        if not 1 <= number <= len(self._operations):
            raise PlanError(
                f"operation {number} completes without an invocation: numbers 1 to "
                f"{len(self._operations)} were invoked"
            )
        operation = self._operations[number - 1]
        if operation.completed is not None:
            raise PlanError(
                f"operation {number} ({operation.name}) completes twice: it is "
                f"{operation.status} already"
            )
        if status not in get_args(End):
            raise PlanError(
                f"operation {number} ({operation.name}) must complete as one of "
                f"{list(get_args(End))}, got {status!r}"
            )
        self._operations[number - 1] = replace(
            operation,
            completed=self._next_position(),
            completed_at_s=self._now(),
            status=status,
            result=_kept(result),
            error=error,
        )

    def __iter__(self) -> Iterator[OperationRecord]:
        """The operations in order of their invocation."""
        return iter(self._operations)

    def __len__(self) -> int:
        return len(self._operations)

    def __getitem__(self, number: int) -> OperationRecord:
        """Operation ``number``, counted from 1. PlanError if there is none."""
        if not 1 <= number <= len(self._operations):
            raise PlanError(
                f"an operation's number must be in [1, {len(self._operations)}], got {number}"
            )
        return self._operations[number - 1]

    def events(self) -> tuple[OperationEvent, ...]:
        """Every invocation and completion, in their total order."""
        return events(self._operations)

    def in_flight(self) -> tuple[OperationRecord, ...]:
        """The operations that have not ended yet."""
        return self.only(lambda operation: not operation.ended)

    def only(self, predicate: Callable[[OperationRecord], bool]) -> tuple[OperationRecord, ...]:
        """The operations for which ``predicate`` holds; numbers and positions stay."""
        return tuple(operation for operation in self._operations if predicate(operation))

    def partition(
        self, key: Callable[[OperationRecord], K]
    ) -> dict[K, tuple[OperationRecord, ...]]:
        """The operations by ``key``, keys in order of first use; numbers and positions stay."""
        parts: dict[K, list[OperationRecord]] = {}
        for operation in self._operations:
            parts.setdefault(key(operation), []).append(operation)
        return {each: tuple(operations) for each, operations in parts.items()}

    def _next_position(self) -> int:
        self._position += 1
        return self._position - 1


def _kept(value: object, depth: int = _COPY_DEPTH_MAX) -> object:
    """``value`` with its built-in containers copied, so that later changes do not reach it."""
    kind = type(value)
    if depth == 0 or kind not in (list, dict, set, tuple):
        return value
    if isinstance(value, dict):
        return {key: _kept(held, depth - 1) for key, held in value.items()}
    if isinstance(value, set):
        return set(value)
    assert isinstance(value, list | tuple)
    copied = (_kept(held, depth - 1) for held in value)
    return list(copied) if isinstance(value, list) else tuple(copied)
