"""Which laws of a machine are due, and checking them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis.stateful import Invariant

from chaoscheck.stateful.certain_mistakes import refuse_result
from chaoscheck.stateful.rules import when_due
from chaoscheck.stateful.step_recording import StepRecording
from chaoscheck.stateful.tallies.example_tally import ExampleTally
from chaoscheck.stateful.tallies.run_tally import NEVER_AT_REST, PRECONDITION

# Theory of operation. Invariants run at the right moments only:
#
# - *settled*: every task is blocked and time stands still: ``@invariant()``. Rules that merely
#   start operations do not pump, so that two of them race at their first checkpoint; invariants
#   then wait until a later step has settled the world.
# - *at rest*: settled, and no operation is in flight: ``@invariant(at_rest=True)``.
# - *healed*: at the end of each example everything is healed, ``recovery_s`` virtual seconds
#   pass, and then all of them run, ``@invariant(healed=True)`` included: liveness.

__all__ = ["LawChecks"]


class LawChecks(StepRecording):
    """Checks invariants after each step and at the end, each at the moments for which it holds."""

    #: What this example counts: laws checked, judged and skipped, and faults judged.
    _counts: ExampleTally

    def resting(self) -> bool:
        """Whether no operation is in flight; asked when settled. Override for own operations."""
        return not self.world.in_flight()

    def check_invariants(
        self, settings: Any, output: Callable[[str], object], runtimes: dict[str, float]
    ) -> None:
        """Run what is due now: nothing unless settled, rest invariants only at rest."""
        __tracebackhide__ = True
        if not self.invariants or not self.world.settled:
            return
        resting: bool | None = None
        for check in self.invariants:
            when = when_due(check.function)
            if when == "healed" or not self._is_due(check):
                continue
            if when == "at_rest":
                resting = self.resting() if resting is None else resting
                if not resting:
                    self._counts.not_due(check.function.__name__, NEVER_AT_REST)
                    continue
            self._check(check)
        self._counts.end_round(self.chaos.hits)

    def _check_all(self, whens: tuple[str, ...]) -> None:
        """Run the laws of these moments, at the end of an example."""
        __tracebackhide__ = True
        for check in self.invariants:
            if when_due(check.function) in whens and self._is_due(check):
                self._check(check)
        self._counts.end_round(self.chaos.hits)

    def _check(self, check: Invariant) -> None:
        """Run one law that is due, and count it."""
        __tracebackhide__ = True
        self._counts.begin_law(check.function.__name__)
        refuse_result(check, check.function(self))
        self._counts.end_law()

    def _is_due(self, check: Invariant) -> bool:
        if self._initialize_rules_to_run and not check.check_during_init:
            return False
        if all(condition(self) for condition in check.preconditions):
            return True
        self._counts.not_due(check.function.__name__, PRECONDITION)
        return False
