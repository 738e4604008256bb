"""``rule``, ``initialize`` and ``invariant`` of chaos machines: Hypothesis's, async included.

They do what Hypothesis's own do and return what they were given, so that a type checker sees
the rule as it was written, whether it is async or not. Which of them exist is Hypothesis's
business: bundles, targets, preconditions and ``multiple`` are its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import stateful as hypothesis
from hypothesis.stateful import Bundle
from hypothesis.strategies import SearchStrategy

from chaoscheck.errors import PlanError
from chaoscheck.history.run_statistics import When
from chaoscheck.stateful.in_flight import IN_FLIGHT, MAY_STAY, OPERATIONS

__all__ = ["initialize", "invariant", "rule", "when_due"]

F = TypeVar("F", bound=Callable[..., Any])
Check = TypeVar("Check", bound=Callable[..., None])

_WHEN = "_chaoscheck_when"


def rule(
    *,
    targets: Sequence[Bundle[Any]] = (),
    target: Bundle[Any] | None = None,
    in_flight: bool = False,
    may_stay: bool = False,
    **arguments: SearchStrategy[Any],
) -> Callable[[F], F]:
    """A step that the machine may take, sync or async; see hypothesis.stateful.rule.

    An async rule is pumped to its end. Its value, as a sync rule's, goes to its targets. With
    ``in_flight`` it is started as an operation and left in flight: the handle goes to the
    targets, and the ready-made rules settle, join and cancel meet it again. PlanError when a
    rule in flight is not async. At the end of an example, once everything was healed, such an
    operation that nothing can end any more is a Deadlock, unless it ``may_stay``.
    """
    declare: Any = hypothesis.rule
    for name, value in (("in_flight", in_flight), ("may_stay", may_stay)):
        if not isinstance(value, bool):
            raise PlanError(
                f"{name} must be True or False, got {value!r}; an argument needs another name"
            )
    if may_stay and not in_flight:
        raise PlanError("may_stay is said of a rule in flight: rule(in_flight=True, may_stay=True)")
    if in_flight:
        chosen = (*targets, *([] if target is None else [target]))
        targets, target = (*chosen, OPERATIONS), None

    def mark(function: F) -> F:
        if in_flight and not inspect.iscoroutinefunction(function):
            raise PlanError(f"a rule in flight must be async, got {function.__qualname__}")
        made: F = declare(targets=targets, target=target, **arguments)(function)
        for marked in (function, made) if in_flight else ():
            setattr(marked, IN_FLIGHT, True)
            setattr(marked, MAY_STAY, may_stay)
        return made

    return mark


def initialize(
    *,
    targets: Sequence[Bundle[Any]] = (),
    target: Bundle[Any] | None = None,
    **arguments: SearchStrategy[Any],
) -> Callable[[F], F]:
    """A step that is taken once, before all rules, sync or async."""
    declare: Any = hypothesis.initialize
    made: Callable[[F], F] = declare(targets=targets, target=target, **arguments)
    return made


def invariant(
    *, at_rest: bool = False, healed: bool = False, check_during_init: bool = False
) -> Callable[[Check], Check]:
    """Declare a law of a machine: checked when settled, ``at_rest``, or once ``healed``.

    Raises PlanError when both are asked for: a healed world is at rest as well.
    """
    if at_rest and healed:
        raise PlanError("an invariant is checked at_rest or healed, not both: healed implies rest")
    when = "healed" if healed else "at_rest" if at_rest else "settled"

    def declare(check: Check) -> Check:
        setattr(check, _WHEN, when)
        declared: Any = hypothesis.invariant(check_during_init=check_during_init)(check)
        made: Check = declared
        return made

    return declare


def when_due(check: Callable[..., object]) -> When:
    """When an invariant is to be checked: "settled", "at_rest" or "healed"."""
    when: When = getattr(check, _WHEN, "settled")
    return when
