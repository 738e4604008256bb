"""The ready-made rules of every machine: time passes, and what can happen now happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

# Theory of operation. A breaker, a lease, a cache or a throttle is tested only if time passes, so
# every machine lets it pass, whatever it declares. It costs a machine that has nothing to do with
# time nothing: the rule is possible only once a clock was read, a deadline set or a server started.
# Nothing depends on the time that passes before.

__all__ = ["LET_TIME_PASS", "READY_MADE", "ready_made", "time_rules"]

Rules = dict[str, Callable[..., Any]]

LET_TIME_PASS = "let_time_pass"
# Marks the rules that a machine gets without declaring them; its own take their place.
READY_MADE = "_chaoscheck_ready_made"
# Tenths of a second: 0.1 s to 2 minutes, which is beyond every default deadline of ours.
_TENTHS_MAX = 1_200


def time_rules() -> Rules:
    """let_time_pass and settle."""
    return ready_made({LET_TIME_PASS: _let_time_pass(), "settle": _settle()})


def ready_made(rules: Rules) -> Rules:
    """The same rules, marked as ready-made."""
    for rule_of_ours in rules.values():
        setattr(rule_of_ours, READY_MADE, True)
    return rules


def _let_time_pass() -> Callable[..., Any]:
    tenths = st.integers(min_value=1, max_value=_TENTHS_MAX)

    @precondition(lambda self: self.world.minds_time)
    @rule(seconds=tenths.map(lambda count: count / 10))
    def let_time_pass(self: Any, seconds: float) -> None:
        self.chaos.let_time_pass(seconds)

    return let_time_pass


def _unsettled(machine: Any) -> bool:
    """Whether settling may show anything: something can run, or an operation is in flight."""
    if not machine.world.settled:
        return True
    operations = machine._operations
    return bool(operations) and any(not each.done for each in operations)


def _settle() -> Callable[..., Any]:
    @precondition(_unsettled)
    @rule()
    def settle(self: Any) -> None:
        self.chaos.settle()

    return settle
