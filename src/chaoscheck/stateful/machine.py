"""ChaosMachine: a Hypothesis state machine whose steps run in a world."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import event
from hypothesis.stateful import Invariant, Rule, RuleBasedStateMachine

from chaoscheck.errors import PlanError, SubjectError
from chaoscheck.history.operations import History
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.program import Program
from chaoscheck.report.story import Story
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.chaos_rules import READY_MADE, chaos_rules
from chaoscheck.stateful.driver import current_driver
from chaoscheck.stateful.exercise import Exercise
from chaoscheck.stateful.failures import Failures
from chaoscheck.stateful.in_flight import OPERATIONS, is_in_flight_rule, operation_rules
from chaoscheck.stateful.programs.recording import Recording, Span
from chaoscheck.stateful.rules import when_due
from chaoscheck.stateful.running import machine_test_case
from chaoscheck.stateful.selection import RuleSelection, sorted_rules
from chaoscheck.stateful.steps import initialize_step, step
from chaoscheck.stateful.worlds import chosen_world
from chaoscheck.world.choices import Choices
from chaoscheck.world.operation import Operation
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.world import World

# Theory of operation. Hypothesis runs its own loop: choose a rule, call it, check invariants. We
# change three things in it. Rules may be ``async``: they are pumped to their end, or, when they
# are declared ``in_flight``, started and left. The choice of rules is ours (``selection``).
# Invariants run at the right moments only:
#
# - *settled*: every task is blocked and time stands still: ``@invariant()``. Rules that merely
#   start operations do not pump, so that two of them race at their first checkpoint; invariants
#   then wait until a later step has settled the world.
# - *at rest*: settled, and no operation is in flight: ``@invariant(at_rest=True)``.
# - *healed*: at the end of each example everything is healed, ``recovery_s`` virtual seconds
#   pass, and then all of them run, ``@invariant(healed=True)`` included: liveness.
#
# If a step failed, no final check runs: closing the world must never hide the failure.
#
# Everything that happens is on record (``recording``), so that a failing example becomes a
# program, which replays without Hypothesis: the ``driver`` is then the program itself.

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
    #: Whether operations may be cancelled: then ``chaos.cancel`` is a declared fault, "cancel".
    cancels: ClassVar[bool] = False
    #: Exceptions of operations in flight that say that the operation had no effect.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    #: Exceptions of operations in flight after which nobody knows whether it had its effect.
    doubts: ClassVar[tuple[type[Exception], ...]] = ()
    #: Virtual seconds between healing everything and the healed invariants.
    recovery_s: ClassVar[float] = 300.0

    _chaos_names: ClassVar[frozenset[str]] = frozenset()
    _rules_sorted: ClassVar[list[Rule]] = []
    _exercise: ClassVar[Exercise] = Exercise(())
    _failures: ClassVar[Failures] = Failures()
    #: What regressions of this machine are kept under; set it before you rename the class.
    chaos_key: ClassVar[str] = ""
    #: A program that takes the place of a search: what ``--chaos-replay`` was given.
    _replayed: ClassVar[Program | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        made = chaos_rules(cls.faults, cls.links) if cls.faults or cls.links else {}
        in_flight = any(is_in_flight_rule(getattr(cls, name, None)) for name in dir(cls))
        if cls.cancels and not in_flight:
            raise PlanError(f"{cls.__name__} cancels operations but has no rule(in_flight=True)")
        if in_flight:
            made |= operation_rules(cancels=cls.cancels)
        for name, made_rule in made.items():
            found = inspect.getattr_static(cls, name, made_rule)
            if found is made_rule or getattr(found, READY_MADE, False):
                setattr(cls, name, made_rule)  # else the machine has its own, or wants none
        cls._chaos_names = cls._chaos_names | frozenset(made)
        declared = [*(kind.name for kind in cls.faults), *cls.links]
        cls._exercise = Exercise((*declared, *(["cancel"] if cls.cancels else [])))
        cls._failures = Failures()

    def __init__(self) -> None:
        self._outer_error = sys.exc_info()[1]
        super().__init__()
        self._driver = driver = current_driver()
        if driver.under_hypothesis and driver.say is None and type(self)._failures.enough():
            driver.skip()
        self._story = Story(type(self).__name__)
        self._rules_strategy: Any = self.make_selection()
        #: The operations that rules started, in order, and their history.
        self._operations: list[Operation[Any]] = []
        #: The faults that came by rate during the last step.
        self._came_by_rate: list[Fault] = []
        self.world = self.make_world(self._driver.choices)
        self.history = History(self.world.clock.current_time)
        self._recording = Recording(self._driver.choices.log)
        self._drawn: tuple[dict[str, Any], dict[str, Span]] = ({}, {})
        self._step_number = 0
        if not self.world.real_sockets:
            self.world.scheduler = self.make_scheduler()
        if self._driver.under_hypothesis:
            type(self)._failures.example = self._program
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

    def make_world(self, choices: Choices) -> World:
        """The world of one example: what ``--chaos-world`` says, virtual by default."""
        return chosen_world()(choices)

    def make_scheduler(self) -> Scheduler:
        """Who orders the tasks of one example; drawn by default. Real sockets are always FIFO."""
        return self._driver.scheduler()

    def make_selection(self) -> Any:
        """The strategy that draws (rule, arguments)."""
        return RuleSelection(self, type(self)._rules_sorted, type(self)._chaos_names)

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
            state.rules[:] = [step(rule) for rule in state.rules]
            state.initializers[:] = [initialize_step(rule) for rule in state.initializers]
            cls._rules_sorted = sorted_rules(state.rules, cls._chaos_names)
        return super().setup_state()

    @classmethod
    def _to_test_case(cls) -> Any:  # type: ignore[override]  # the cache is machine_test_case's
        return machine_test_case(cls)

    def _arguments_drawn(self, arguments: dict[str, Any], spans: dict[str, Span]) -> None:
        """The selection drew these for the next step, at these places of the choices."""
        self._drawn = (arguments, spans)

    def _argument_drawn(self, name: str, span: Span) -> None:
        """Hypothesis drew this argument of the next initialize rule."""
        self._drawn[1][name] = span

    def _begin_step(self, rule: Rule, arguments: dict[str, Any]) -> None:
        """A rule is about to be called with these values."""
        drawn, spans = self._drawn
        self._drawn = ({}, {})
        self._step_number += 1
        self._take_step_number(self._step_number)
        name = rule.function.__name__
        self._recording.begin(self._step_number, name, drawn or dict(arguments), spans)

    def _take_step_number(self, number: int) -> None:
        """What happens from now on belongs to this step."""
        self._step_number = number
        self._driver.begin_step(number)
        self.world.begin_step(number)

    def _new_name(self, target: str) -> str:
        if target != OPERATIONS.name:
            new: str = super()._new_name(target)  # type: ignore[no-untyped-call]
            return new
        name = self._operations[-1].name
        self.names_list.append(name)
        return name

    def _add_results_to_targets(self, targets: Any, results: Any) -> None:
        before = len(self.names_list)
        super()._add_results_to_targets(targets, results)  # type: ignore[no-untyped-call]
        self._recording.made(self.names_list[before:])

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
                    continue
            check.function(self)

    def _is_due(self, check: Invariant) -> bool:
        if self._initialize_rules_to_run and not check.check_during_init:
            return False
        return all(condition(self) for condition in check.preconditions)

    def _repr_step(self, rule: Rule, data: Any, result: Any) -> str:
        name = rule.function.__name__
        if name in self._chaos_names or not hasattr(self, name):
            text = f"chaos.{name}({', '.join(data[each] for each in rule.arguments)})"
        else:
            text = super()._repr_step(rule, data, result)
        return self._story.tell_step(text, self._faults_by_rate())

    def _faults_by_rate(self) -> list[str]:
        server = self.chaos.server
        self._came_by_rate = [] if server is None else list(server.take_faults_by_rate())
        return [repr(fault) for fault in self._came_by_rate]

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
        self._hear_who_failed()

    def _hear_who_failed(self) -> None:
        """An operation that the user started by hand must not fail behind everybody's back."""
        for operation in self.world.unheard():
            if operation not in self._operations:  # rules in flight have refusals and doubts
                error = operation.error
                raise SubjectError(
                    f"operation {operation.name} failed and nobody joined it: "
                    f"{type(error).__name__}: {error}"
                ) from error

    def _tell_the_end(self, lines: list[str]) -> None:
        if self._driver.say is not None:
            for line in lines:
                self._driver.say(line)

    def _check_all(self, whens: tuple[str, ...]) -> None:
        for check in self.invariants:
            if when_due(check.function) in whens and self._is_due(check):
                check.function(self)

    def _keep_count(self, error: BaseException | None) -> None:
        injected, hits = self.chaos.injected(), self.chaos.hits()
        type(self)._exercise.add(hits)
        if self._driver.under_hypothesis:
            for kind, count in sorted(injected.items()):
                event(f"{kind}: {_shown(hits, kind, count)}")
        if isinstance(error, Exception):
            self._story.failed(error, self._driver.blob(), self._program())
            if self._driver.under_hypothesis:
                type(self)._failures.add(self._story, type(self)._exercise.examples)

    def _program(self) -> Program:
        """What happened in this example so far, as a value that replays."""
        return self._recording.program(self._driver.choice_sequence(), self.world.scheduler)


def _shown(hits: Counter[str], kind: str, injected: int) -> str:
    met = hits[kind]
    return "had its effect" if met >= injected else "partly" if met else "without effect"
