"""ChaosMachine: a Hypothesis state machine whose steps run in a world."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import event
from hypothesis.reporting import report
from hypothesis.stateful import Invariant, Rule, RuleBasedStateMachine

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.report.story import Story
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.chaos_rules import READY_MADE, chaos_rules
from chaoscheck.stateful.conjecture import DrawnChoices, blob_of, current_data, is_final_run
from chaoscheck.stateful.exercise import Exercise
from chaoscheck.stateful.rules import when_due
from chaoscheck.stateful.running import machine_test_case
from chaoscheck.stateful.selection import RuleSelection, sorted_rules
from chaoscheck.stateful.worlds import chosen_world
from chaoscheck.world.world import World

# Theory of operation. Hypothesis runs its own loop: choose a rule, call it, check invariants. We
# change three things in it. Rules may be ``async``: they are pumped to their end. The choice of
# rules is ours (``selection``). Invariants run at the right moments only:
#
# - *settled*: every task is blocked and time stands still: ``@invariant()``. Rules that merely
#   start operations do not pump, so that two of them race at their first checkpoint; invariants
#   then wait until a later step has settled the world.
# - *at rest*: settled, and no operation is in flight: ``@invariant(at_rest=True)``.
# - *healed*: at the end of each example everything is healed, ``recovery_s`` virtual seconds
#   pass, and then all of them run, ``@invariant(healed=True)`` included: liveness.
#
# If a step failed, no final check runs: closing the world must never hide the failure.

__all__ = ["ChaosMachine"]


class ChaosMachine(RuleBasedStateMachine):
    """Base of chaos machines. Declare ``faults`` and ``links`` to get the chaos rules.

    Every declared fault must be seen to have an effect at least once in a whole run, or the
    test fails with NotExercised: it would have tested less than it claims.
    """

    #: Kinds of server faults that the chaos rules draw from.
    faults: ClassVar[tuple[type[Fault], ...]] = ()
    #: Link faults that the chaos rules use: any of "cut", "half_close", "refuse", "reset".
    links: ClassVar[tuple[str, ...]] = ()
    #: Virtual seconds between healing everything and the healed invariants.
    recovery_s: ClassVar[float] = 300.0

    _chaos_names: ClassVar[frozenset[str]] = frozenset()
    _rules_sorted: ClassVar[list[Rule]] = []
    _exercise: ClassVar[Exercise] = Exercise(())
    last_failure: ClassVar[Story | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        made = chaos_rules(cls.faults, cls.links) if cls.faults or cls.links else {}
        for name, made_rule in made.items():
            found = inspect.getattr_static(cls, name, made_rule)
            if found is made_rule or getattr(found, READY_MADE, False):
                setattr(cls, name, made_rule)  # else the machine has its own, or wants none
        cls._chaos_names = cls._chaos_names | frozenset(made)
        cls._exercise = Exercise((*(kind.name for kind in cls.faults), *cls.links))
        cls.last_failure = None

    def __init__(self) -> None:
        self._outer_error = sys.exc_info()[1]
        super().__init__()
        self._data = current_data()
        self._final = is_final_run()
        self._story = Story(type(self).__name__)
        self._rules_strategy: Any = RuleSelection(
            self, type(self)._rules_sorted, type(self)._chaos_names
        )
        self.world = self.make_world(DrawnChoices(self._data))
        self.world.open()
        try:
            # Drawn here, and not by whichever step first asks for chance: then every step can go.
            self.world.random_bytes(0)
            self.chaos = Chaos(self.world)
            if inspect.iscoroutinefunction(self.setup):
                self.world.run(self.setup)
            else:
                self.setup()
        except BaseException as error:
            self.world.close_after(error)
            raise

    # ------------------------------------------------------------------ what users override

    def make_world(self, choices: DrawnChoices) -> World:
        """The world of one example: what ``--chaos-world`` says, virtual by default."""
        return chosen_world()(choices)

    def setup(self) -> Any:
        """Build the subject; runs before the first rule; may be async."""

    def resting(self) -> bool:
        """Whether no operation is in flight; asked when settled. Override for own operations."""
        return not self.world.in_flight()

    # ------------------------------------------------------------------ Hypothesis's hooks

    @classmethod
    def setup_state(cls) -> Any:
        """Rules and invariants of the class, with async rules made to pump the world."""
        if cls not in cls._setup_state_per_class:
            state = super().setup_state()
            for check in state.invariants:
                if inspect.iscoroutinefunction(check.function):
                    del cls._setup_state_per_class[cls]
                    raise PlanError(f"invariant {check.function.__qualname__} must not be async")
            state.rules[:] = [_pumped(rule) for rule in state.rules]
            state.initializers[:] = [_pumped(rule) for rule in state.initializers]
            cls._rules_sorted = sorted_rules(state.rules, cls._chaos_names)
        return super().setup_state()

    @classmethod
    def _to_test_case(cls) -> Any:  # type: ignore[override]  # the cache is machine_test_case's
        return machine_test_case(cls)

    def check_invariants(
        self, settings: Any, output: Callable[[str], object], runtimes: dict[str, float]
    ) -> None:
        """Run what is due now: nothing unless settled, rest invariants only at rest."""
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
                    continue
            check.function(self)

    def _is_due(self, check: Invariant) -> bool:
        if self._initialize_rules_to_run and not check.check_during_init:
            return False
        return all(condition(self) for condition in check.preconditions)

    def _repr_step(self, rule: Rule, data: Any, result: Any) -> str:
        name = rule.function.__name__
        if name in self._chaos_names:
            text = f"chaos.{name}({', '.join(data.values())})"
        else:
            text = super()._repr_step(rule, data, result)
        return self._story.tell_step(text, self._faults_by_rate())

    def _faults_by_rate(self) -> list[str]:
        server = self.chaos.server
        return [] if server is None else [repr(fault) for fault in server.take_faults_by_rate()]

    # ------------------------------------------------------------------ the end of an example

    def teardown(self) -> None:
        """Heal and check, unless a failure is under way; close the world on every path."""
        error = sys.exc_info()[1]
        if error is self._outer_error:
            error = None
        try:
            self._finish_and_close(error)
        except BaseException as late:
            error = late
            raise
        finally:
            self._keep_count(error)

    def _finish_and_close(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self._finish()
        except BaseException as late:
            error = late
            raise
        finally:
            self.world.close_after(error)

    def _finish(self) -> None:
        """Liveness: once everything is healed, everything holds in bounded virtual time."""
        if self._initialize_rules_to_run:
            return  # the example ended before it began
        self.world.settle()
        self._tell_the_end(self._story.by_rate(self._faults_by_rate()))
        self._check_all(("settled",))
        self._tell_the_end(self._story.healed(self.recovery_s))
        self.chaos.heal_everything()
        self.world.advance(self.recovery_s)
        whens = ("settled", "at_rest", "healed") if self.resting() else ("settled", "healed")
        self._check_all(whens)

    def _tell_the_end(self, lines: list[str]) -> None:
        if self._final:
            for line in lines:
                report(line)

    def _check_all(self, whens: tuple[str, ...]) -> None:
        for check in self.invariants:
            if when_due(check.function) in whens and self._is_due(check):
                check.function(self)

    def _keep_count(self, error: BaseException | None) -> None:
        injected, hits = self.chaos.injected(), self.chaos.hits()
        type(self)._exercise.add(hits)
        for kind, count in sorted(injected.items()):
            event(f"{kind}: {_shown(hits, kind, count)}")
        if error is not None and isinstance(error, Exception):
            self._story.failed(error, blob_of(self._data))
            type(self).last_failure = self._story
            if self._final:
                self._story.sign(error)


def _shown(hits: Counter[str], kind: str, injected: int) -> str:
    met = hits[kind]
    return "had its effect" if met >= injected else "partly" if met else "without effect"


def _pumped(rule: Rule) -> Rule:
    """The rule itself, or, when it is async, one that runs to its end in the machine's world."""
    function = rule.function
    if not inspect.iscoroutinefunction(function):
        return rule

    def pumped(machine: ChaosMachine, **arguments: Any) -> Any:
        __tracebackhide__ = True
        operation = machine.world.start(_bound(function, machine, arguments), name=name)
        return machine.world.run_until(operation)

    name = pumped.__name__ = function.__name__
    pumped.__qualname__ = function.__qualname__
    return replace(rule, function=pumped)


def _bound(function: Callable[..., Any], machine: Any, arguments: dict[str, Any]) -> Any:
    def call() -> Any:
        return function(machine, **arguments)

    return call
