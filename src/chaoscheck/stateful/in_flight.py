"""Rules that leave an operation in flight, and the ready-made rules that meet it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition, rule

from chaoscheck.stateful.time_rules import ready_made
from chaoscheck.world.operation import Operation
from chaoscheck.world.pump import first_cause

# Theory of operation. ``@rule(in_flight=True)`` starts its method and does not pump, so that two
# of them race at their first checkpoint. The handle goes into one bundle, from which the
# ready-made rules take operations that have not ended. The machine's history records invocation
# and completion inside the operation's own task, at the very instant.
#
# How an operation ended, for the history: *ok* when it returned; *failed* when it raised one of
# the machine's ``refusals``, which say that it had no effect; *unknown* when it was cancelled or
# raised one of its ``doubts``. Any other exception is a bug of the subject, or of the machine:
# the example fails with it. One that has not ended long after everything was healed, and that
# nothing can end, is a Deadlock, unless its rule says ``may_stay``.

__all__ = ["OPERATIONS", "is_in_flight_rule", "operation_rules", "started"]

OPERATIONS: Bundle[Operation[Any]] = Bundle("operations")
IN_FLIGHT = "_chaoscheck_in_flight"
MAY_STAY = "_chaoscheck_may_stay"
# Where somebody is cancelled: most code gives way a few times only before it waits for good.
CHECKPOINTS_MAX = 8
CANCEL_AFTER = "cancel_after"  # the name of the rule that cancels between two slices
# A hand-over between two tasks takes a few slices of each.
CANCEL_SLICES_MAX = 12

Rules = dict[str, Callable[..., Any]]


def is_in_flight_rule(function: object) -> bool:
    """Whether ``@rule(in_flight=True)`` made it."""
    return getattr(function, IN_FLIGHT, False) is True


def operation_rules(*, cancels: bool) -> Rules:
    """join, and two ways to cancel where operations may be cancelled; all machines can settle."""
    made = {"join": _join()}
    if cancels:
        made |= {"cancel": _cancel(), CANCEL_AFTER: _cancel_after()}
    return ready_made(made)


def _any_in_flight(machine: Any) -> bool:
    return any(not operation.done for operation in machine._operations)


def _not_done(operation: Operation[Any]) -> bool:
    return not operation.done


def _join() -> Callable[..., Any]:
    @precondition(_any_in_flight)
    @rule(operation=OPERATIONS.filter(_not_done))
    def join(self: Any, operation: Operation[Any]) -> None:
        self.chaos.join(operation)

    return join


def _not_done_or_cancelling(operation: Operation[Any]) -> bool:
    return not operation.done and not operation.cancelling


def _any_to_cancel(machine: Any) -> bool:
    return any(_not_done_or_cancelling(operation) for operation in machine._operations)


def _cancel() -> Callable[..., Any]:
    @precondition(_any_to_cancel)
    @rule(
        operation=OPERATIONS.filter(_not_done_or_cancelling),
        checkpoint=st.integers(0, CHECKPOINTS_MAX),
    )
    def cancel(self: Any, operation: Operation[Any], checkpoint: int) -> None:
        self.chaos.cancel(operation, checkpoint)

    return cancel


def _cancel_after() -> Callable[..., Any]:
    @precondition(_any_to_cancel)
    @rule(
        operation=OPERATIONS.filter(_not_done_or_cancelling),
        slices=st.integers(1, CANCEL_SLICES_MAX),
    )
    def cancel_after(self: Any, operation: Operation[Any], slices: int) -> None:
        self.chaos.cancel_after(operation, slices)

    return cancel_after


def started(machine: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Put a rule's method in flight; nothing runs before the world is pumped."""

    async def call() -> Any:
        return await _carried(machine, operation.name, function, arguments)

    may_stay = getattr(function, MAY_STAY, False) is True
    operation = machine.world.start(call, name=function.__name__, may_stay=may_stay)
    machine._operations.append(operation)
    return operation


async def _carried(
    machine: Any, client: str, function: Callable[..., Any], arguments: dict[str, Any]
) -> Any:
    """Call the method in its own task, and keep its history."""
    history = machine.history
    number = history.invoke(function.__name__, arguments, client=client)
    try:
        result = await function(machine, **arguments)
    except machine.refusals as refusal:
        history.complete(number, "failed", error=refusal)
        raise
    except machine.doubts as doubt:
        history.complete(number, "unknown", error=doubt)
        raise
    except Exception as error:
        history.complete(number, "unknown", error=error)
        machine.world.fail(error)
        raise
    except BaseException as error:
        history.complete(number, "unknown")
        cause = first_cause(error)
        if isinstance(cause, Exception):  # one child of it failed while others were cancelled
            machine.world.fail(cause)
        raise
    history.complete(number, "ok", result)
    return result
