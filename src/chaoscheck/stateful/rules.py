"""``rule``, ``initialize`` and ``invariant`` of chaos machines: Hypothesis's, async included.

They do what Hypothesis's own do and return what they were given, so that a type checker sees
the rule as it was written, whether it is async or not. Which of them exist is Hypothesis's
business: bundles, targets, preconditions and ``multiple`` are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import stateful as hypothesis
from hypothesis.stateful import Bundle
from hypothesis.strategies import SearchStrategy

from chaoscheck.errors import PlanError

__all__ = ["initialize", "invariant", "rule", "when_due"]

F = TypeVar("F", bound=Callable[..., Any])
Check = TypeVar("Check", bound=Callable[..., None])

_WHEN = "_chaoscheck_when"


def rule(
    *,
    targets: Sequence[Bundle[Any]] = (),
    target: Bundle[Any] | None = None,
    **arguments: SearchStrategy[Any],
) -> Callable[[F], F]:
    """A step that the machine may take, sync or async; see hypothesis.stateful.rule.

    An async rule is pumped to its end. Its value, as a sync rule's, goes to its targets.
    """
    declare: Any = hypothesis.rule
    made: Callable[[F], F] = declare(targets=targets, target=target, **arguments)
    return made


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


def when_due(check: Callable[..., object]) -> str:
    """When an invariant is to be checked: "settled", "at_rest" or "healed"."""
    when: str = getattr(check, _WHEN, "settled")
    return when
