"""The explorer: a fast seeded search of a machine, without Hypothesis's engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import Bundle, MultipleResults, Rule
from hypothesis.strategies import DataObject

from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Drawn, Literal, Program
from chaoscheck.report.story import Story
from chaoscheck.stateful.chaos_rules import NEXT_FAULT
from chaoscheck.stateful.conjecture import (
    drawn_again,
    drawn_at_random,
    example_without_hypothesis,
    random_data,
)
from chaoscheck.stateful.driver import driven_by
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.exploring.steering import Steering
from chaoscheck.stateful.failures import Failure, Failures, Origin
from chaoscheck.stateful.in_flight import CANCEL_AFTER
from chaoscheck.stateful.programs.recorded_data import DrawnAtRandom
from chaoscheck.stateful.programs.recording import kept_argument
from chaoscheck.stateful.schedule_modes import schedule_of
from chaoscheck.stateful.selection import RuleSelection
from chaoscheck.world.ambient import Generator, process_seconds, seeded_random
from chaoscheck.world.choices import Choices, SeededChoices
from chaoscheck.world.schedule import Scheduler

# Theory of operation. Hypothesis's engine pays for every choice: it records, mutates and shrinks
# them. A search needs none of that until something fails. So the explorer calls rules directly,
# with arguments from pools that were drawn once from the rules' own strategies, and lets a
# seeded generator answer everything else. What it finds is a Program like any other: the domain
# pass shrinks it, and a regression file keeps it.
#
# Short programs come first and often: a bug of four steps is met sooner in a hundred programs of
# ten steps than in twenty of fifty, and the world of an example costs what thirty steps cost.

__all__ = ["Explored", "Slice", "explore", "exploring_for", "slice_for"]

POOL = 24  # values an argument is drawn from; each stays for the whole exploration
EXPLORE_MAX_S = 86_400.0  # a day
CANCELLED = 0.4  # how often an operation is cancelled right after another one was started
LENGTHS = (6, 12, 25, 50)  # steps a program has at most, in turn


# What a machine with operations in flight gets without being asked. Races need many short programs
# and few draws, which is what the explorer is quick at.
SLICE_S = 1.5  # CPU seconds a machine, which its shards divide
SLICE_EXAMPLES = 4  # times as many examples as Hypothesis gets, at most

_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """How much of a search is the explorer's: CPU seconds, and examples (None: any number)."""

    seconds: float
    examples_max: int | None = None


def slice_for(*, in_flight: bool, examples: int, shards: int) -> Slice:
    """What ``exploring_for`` says; else a short slice where operations are in flight.

    ``examples`` is what Hypothesis gets of this search, one of so many ``shards``.
    """
    if _seconds is not None:
        return Slice(_seconds)
    return Slice(SLICE_S / shards if in_flight else 0.0, SLICE_EXAMPLES * examples)


@contextmanager
def exploring_for(seconds: float | None) -> Iterator[None]:
    """Machines that run meanwhile are explored for so many CPU seconds; None: as they need it.

    PlanError unless in [0, 86400].
    """
    global _seconds
    if seconds is not None and not 0 <= seconds <= EXPLORE_MAX_S:
        raise PlanError(f"seconds to explore must be in [0, {EXPLORE_MAX_S:g}], got {seconds!r}")
    previous, _seconds = _seconds, seconds
    try:
        yield
    finally:
        _seconds = previous


class ExploringDriver:
    """A seeded generator answers all that is undetermined."""

    under_hypothesis = False
    by_hand = False
    run: object = None

    def __init__(self, seed: int) -> None:
        self.choices: Choices = OneStream(seed)
        self.say: Callable[[str], object] | None = None

    def scheduler(self, schedules: str = "") -> Scheduler:
        """A drawn strategy."""
        return schedule_of(schedules, self.choices)

    def begin_step(self, number: int) -> None:
        """Choices come one after the other, whatever the step."""

    def skip(self) -> None:
        """There is always another example."""

    def choice_sequence(self) -> tuple[()]:
        """There is none."""
        return ()

    def blob(self) -> str:
        """The program is what replays it."""
        return ""


class OneStream(SeededChoices):
    """Seeded choices whose decisions stand in one log, in the order in which they were made."""

    def derive(self, *keys: object) -> SeededChoices:
        """Itself: a program records decisions by their place in a step."""
        return self


class Explored:
    """What an exploration did: how many examples and steps ran, and its failures by origin."""

    def __init__(self) -> None:
        self.examples = 0
        self.steps = 0
        self.seconds = 0.0
        self.failures: dict[Origin, Failure] = {}

    @property
    def failure(self) -> Failure | None:
        """The first failure; None if there was none."""
        return next(iter(self.failures.values()), None)


def explore(
    machine_type: Any,
    *,
    seconds: float,
    seed: int = 0,
    examples_max: int | None = None,
    several: bool = False,
) -> Explored:
    """Search ``machine_type`` for ``seconds`` of CPU, or until something fails.

    With ``several`` it goes on after a failure, to find others. The same seed runs the same
    examples, as many as there is time for. Nothing is shrunk.
    """
    explored = Explored()
    search = _Search(machine_type, seed)
    started_s = process_seconds()
    while examples_max is None or explored.examples < examples_max:
        failure = search.one_example(explored.examples, explored)
        if failure is not None:
            explored.failures.setdefault(failure.origin, failure)
            if not several:
                break
        explored.examples += 1
        explored.seconds = process_seconds() - started_s
        if explored.seconds >= seconds:
            break
    return explored


class _Search:
    def __init__(self, machine_type: Any, seed: int) -> None:
        self._machine_type = machine_type
        self._seed = seed
        state = machine_type.setup_state()
        generator = seeded_random(seed)
        self._pools = {
            (rule.function.__name__, name): _pool(strategy, generator)
            for rule in (*state.rules, *state.initializers)
            for name, strategy in rule.arguments_strategies.items()
            if not isinstance(strategy, Bundle)
        }
        faults = self._pools.get((NEXT_FAULT, "fault"))
        arguments = faults.arguments if faults is not None else ()
        kinds = [argument.value for argument in arguments if isinstance(argument, Literal)]
        self._steering = Steering(machine_type._rules_sorted, kinds)

    def one_example(self, number: int, explored: Explored) -> Failure | None:
        """Run one program; its failure, if it fails."""
        generator = seeded_random((self._seed << 32) + number)
        failures = Failures()
        machine: Any = None
        try:
            with example_without_hypothesis(is_final=False):
                with driven_by(ExploringDriver(generator.getrandbits(64))):
                    machine = self._machine_type()
                selection = _PooledSelection(machine, self._pools, generator, self._steering)
                length = generator.randint(1, LENGTHS[number % len(LENGTHS)])
                self._run(machine, selection, length, explored)
        except BaseException as error:
            kind = kind_of(error)
            if kind == "invalid":
                return None
            if kind not in ("failure", "mistake"):
                raise
            if machine is None:  # its setup failed
                story = Story(self._machine_type.__name__)
                story.failed(error, "", Program(steps=()))
                failures.add(story, number + 1)
                return failures.of(error)
            failures.add(machine._story, number + 1)
            return failures.of(error)
        return None

    def _run(
        self, machine: Any, selection: _PooledSelection, length: int, explored: Explored
    ) -> None:
        try:
            machine.check_invariants(None, _say_nothing, {})
            self._steering.begin_example()
            for _ in range(length + len(machine._initialize_rules_to_run)):
                drawn = selection.draw()
                if drawn is None:
                    continue
                rule, noted, passed = drawn
                explored.steps += 1
                machine._arguments_drawn(noted, {})
                result = rule.function(machine, **passed)
                if rule.targets:
                    several = isinstance(result, MultipleResults)
                    results = list(result.values) if several else [result]
                    machine._add_results_to_targets(rule.targets, results)
                self._steering.observe(rule.function.__name__, machine.chaos.hits())
                machine.check_invariants(None, _say_nothing, {})
        finally:
            machine.teardown()


# An argument as it is noted in the program, and the value that is passed.
Chosen = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class _Pool:
    """Values of one argument; empty where they cannot be drawn before there is a machine."""

    strategy: Any
    arguments: tuple[Literal | Drawn, ...]


def _pool(strategy: Any, generator: Generator) -> _Pool:
    found: dict[Literal | Drawn, None] = {}
    for _ in range(POOL):
        try:
            value, choices = drawn_at_random(strategy, random_data(generator), None)
            if isinstance(value, DataObject):
                break  # each step has one of its own
            found.setdefault(kept_argument(value, choices))
        except UnsatisfiedAssumption:
            continue  # a filter refused this one
        except Exception:
            break  # it asks the machine for something: there is none yet
    return _Pool(strategy, tuple(found))


class _PooledSelection(RuleSelection):
    """The machine's own selection of rules, with arguments out of the pools."""

    def __init__(
        self,
        machine: Any,
        pools: dict[tuple[str, str], _Pool],
        generator: Generator,
        steering: Steering,
    ) -> None:
        super().__init__(machine, machine._rules_sorted, machine._chaos_names)
        self._steering = steering
        self._meant: Rule | None = None  # the rule that is to meet the fault of the last step
        self._pools = pools
        self._generator = generator
        self._dice = _Dice(generator)
        self._cancel = next(
            (each for each in self._rules if each.function.__name__ == CANCEL_AFTER), None
        )
        self._started = 0  # operations that had been started before the last step

    def draw(self) -> tuple[Rule, dict[str, Any], dict[str, Any]] | None:
        """A rule, its arguments as noted and as passed; None where a bundle has none to give."""
        waiting = self._machine._initialize_rules_to_run
        meant, self._meant = self._meant, None
        if waiting:
            rule = waiting.pop(self._generator.randrange(len(waiting)))
        elif meant is not None and self._is_possible(meant):
            rule = meant
        elif self._cancel is not None and self._is_to_be_cancelled(self._cancel):
            rule = self._cancel
        else:
            pair = self._steering.pair(self._own_possible(), self._generator)
            if pair is not None and self._is_possible(pair[0]):
                injecting, fault, self._meant = pair
                arguments = {} if fault is None else {"fault": fault}
                return injecting, dict(arguments), arguments
            rule = self.chosen(self._dice)
        return self._with_arguments(rule)

    def _is_to_be_cancelled(self, cancel: Rule) -> bool:
        """Whether to cancel now: an operation has just been started beside others in flight."""
        started, before = len(self._machine._operations), self._started
        self._started = started
        if not 0 < before < started or self._generator.random() >= CANCELLED:
            return False
        return self._is_possible(cancel)

    def _own_possible(self) -> list[Rule]:
        own = [rule for rule in self._rules if rule.function.__name__ not in self._chaos_names]
        return [rule for rule in own if self._is_possible(rule)]

    def _with_arguments(self, rule: Rule) -> tuple[Rule, dict[str, Any], dict[str, Any]] | None:
        chosen: dict[str, Chosen] = {}
        for name, strategy in rule.arguments_strategies.items():
            one = self._one(rule, name, strategy)
            if one is None:
                return None
            chosen[name] = one
        noted = {name: each for name, (each, _) in chosen.items()}
        return rule, noted, {name: value for name, (_, value) in chosen.items()}

    def _one(self, rule: Rule, name: str, strategy: Any) -> Chosen | None:
        if isinstance(strategy, Bundle):
            return self._out_of(strategy)
        pool = self._pools[rule.function.__name__, name]
        if not pool.arguments:
            data = random_data(self._generator)
            value, choices = drawn_at_random(strategy, data, self._machine)
            if isinstance(value, DataObject):
                drawing = DrawnAtRandom(self._machine, self._generator)
                return drawing, drawing
            return kept_argument(value, choices), value
        argument = self._generator.choice(pool.arguments)
        if isinstance(argument, Literal):
            return argument, argument.value
        # A value that the machine may change is made anew each time.
        return argument, drawn_again(strategy, argument.choices, self._machine)[0]

    def _out_of(self, bundle: Any) -> Chosen | None:
        machine = self._machine
        values = machine.names_to_values
        conditions = [made for kind, made, _ in bundle._transformations if kind == "filter"]
        fit = [
            reference
            for reference in machine.bundle(bundle.name)
            if all(condition(values[reference.name]) for condition in conditions)
        ]
        if not fit:
            return None
        reference = self._generator.choice(fit)
        if bundle.consume:
            machine.bundle(bundle.name).remove(reference)
        return reference, values[reference.name]


class _Dice:
    """What the selection of rules needs of Hypothesis's data."""

    def __init__(self, generator: Generator) -> None:
        self.draw_integer = generator.randint


def _say_nothing(text: str) -> None:
    """Nobody listens."""
