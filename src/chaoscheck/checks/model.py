"""Model: the sequential specification that a concurrent history is judged against.

A model says what each operation may lead to when it happens alone and at once. Its states are
hashable values, and equal states are one state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chaoscheck.errors import PlanError
from chaoscheck.history.operations import OperationRecord

__all__ = ["Apply", "Model", "Step"]

S = TypeVar("S")
T = TypeVar("T", bound=Hashable)

# A state and an operation to every state that may follow; none: it cannot happen here.
Step = Callable[[S, OperationRecord], Iterable[S]]
# A state, the operation's name and its argument to the state that follows and the answer; None:
# it cannot happen here, whatever it answers (acquiring a lock that is held).
Apply = Callable[[S, str, object], "tuple[S, object] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Generic[S]):
    """What a correct subject does, one operation at a time.

    ``step(state, operation)`` gives every state that may follow if the operation happens in
    ``state`` and answers ``operation.result``; empty: it cannot. Where ``operation.status`` is
    "unknown" no result is known, and the step accepts any. It must be pure.

    ``partition`` gives the key of an operation where operations of different keys never touch
    each other; each key is then judged alone, from ``initial``. ``tell`` gives the text of an
    operation in reports. ``answer(state, operation)`` gives what the model would answer, for
    reports. ``by_argument`` says that the step looks at nothing but name, argument, status and
    result; unknown operations that are alike are then not tried in every order.
    """

    name: str
    initial: S
    step: Step[S]
    partition: Callable[[OperationRecord], Hashable] | None = None
    tell: Callable[[OperationRecord], str] | None = None
    answer: Callable[[S, OperationRecord], object] | None = None
    by_argument: bool = False

    @staticmethod
    def of(
        initial: T,
        apply: Apply[T],
        *,
        name: str | None = None,
        partition: Callable[[OperationRecord], Hashable] | None = None,
        tell: Callable[[OperationRecord], str] | None = None,
    ) -> Model[T]:
        """The model of a deterministic ``apply(state, name, argument)``.

        It gives (next state, answer), or None for what cannot happen in that state. An ok
        operation happened only where its result equals the answer; an unknown one may have
        happened wherever ``apply`` does not give None.
        """

        def step(state: T, operation: OperationRecord) -> tuple[T, ...]:
            applied = apply(state, operation.name, operation.argument)
            if applied is None:
                return ()
            following, answer = applied
            if operation.status == "ok":
                result = operation.result
                if answer is not result and answer != result:
                    return ()
            return (following,)

        def answer_of(state: T, operation: OperationRecord) -> object:
            applied = apply(state, operation.name, operation.argument)
            if applied is None:
                raise PlanError(f"{operation.name} cannot happen in state {state!r}")
            return applied[1]

        return Model(
            name=name or str(getattr(apply, "__name__", type(apply).__name__)),
            initial=initial,
            step=step,
            partition=partition,
            tell=tell,
            answer=answer_of,
            by_argument=True,
        )

    def following(self, state: S, operation: OperationRecord) -> tuple[S, ...]:
        """The states after ``operation``, in an order that is the same in every process.

        PlanError, chained, if the step raises, gives something else than states, or a state
        that is not hashable.
        """
        try:
            found = self.step(state, operation)
        except Exception as error:
            raise PlanError(
                f"model {self.name!r} raised {type(error).__name__} at operation "
                f"{operation.number} ({operation.name}) in state {state!r}: {error}"
            ) from error
        if type(found) is not tuple:
            found = self._in_order(found, state, operation)
        try:
            hash(found)
        except TypeError:
            for following in found:
                self.check_state(following)
        return found

    def check_state(self, state: object) -> None:
        """PlanError unless ``state`` is hashable."""
        try:
            hash(state)
        except TypeError as error:
            raise PlanError(
                f"model {self.name!r} must have hashable states, got {state!r}: {error}"
            ) from error

    def key_of(self, operation: OperationRecord) -> Hashable:
        """The partition of ``operation``. PlanError, chained, if it raises or is not hashable."""
        if self.partition is None:
            return None
        try:
            key = self.partition(operation)
            hash(key)
        except Exception as error:
            raise PlanError(
                f"the partition of model {self.name!r} must give a hashable key, raised "
                f"{type(error).__name__} at operation {operation.number} ({operation.name}): "
                f"{error}"
            ) from error
        return key

    def _in_order(self, found: object, state: S, operation: OperationRecord) -> tuple[S, ...]:
        """A step's answer as a tuple; a set's order would differ from process to process."""
        if isinstance(found, str | bytes) or not isinstance(found, Iterable):
            raise PlanError(
                f"model {self.name!r} must give an iterable of states at operation "
                f"{operation.number} ({operation.name}) in state {state!r}, got {found!r}"
            )
        try:
            return tuple(sorted(found, key=repr) if isinstance(found, set | frozenset) else found)
        except Exception as error:
            raise PlanError(
                f"model {self.name!r} raised {type(error).__name__} at operation "
                f"{operation.number} ({operation.name}) in state {state!r}: {error}"
            ) from error
