"""Replaying a program on its machine, without Hypothesis: the raw interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hypothesis import settings as Settings
from hypothesis.reporting import with_reporter
from hypothesis.stateful import Bundle, MultipleResults, Rule, VarReference

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Drawn, Draws, Literal, Program, Step, steps_named
from chaoscheck.report.story import Story
from chaoscheck.stateful.chaos_rules import NEXT_FAULT, one_fault_rule
from chaoscheck.stateful.conjecture import drawn_again, example_without_hypothesis
from chaoscheck.stateful.driver import ProgramDriver, driven_by
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.failures import Origin, origin_of
from chaoscheck.stateful.hints import hint_for
from chaoscheck.stateful.programs.behaviour import Behaviour
from chaoscheck.stateful.programs.broken import what_broke
from chaoscheck.stateful.programs.pasting import import_lines
from chaoscheck.stateful.programs.recorded_data import DrawnFromProgram, RecordedData
from chaoscheck.stateful.steps import step as step_of

# Theory of operation. The interpreter does what Hypothesis's own loop does with a machine: check
# invariants, call rules, put what they return into bundles, tear down. A step that cannot be
# taken any more is left out: its rule is gone, its precondition is false, or what it refers to
# was never made. ``Replay.program`` is what was really done, so that a shorter program can be
# had by taking steps away and looking at what is left.

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of a program: its error, if any, what was done of it, and what was left out.

    ``skipped`` maps the number of a step to the reason, ``by_rate`` that of a step to the faults
    that came by rate in it. ``lines`` are the story as it is printed, where it was told aloud;
    ``in_flight`` names the operations that had not ended when it failed, and where they stood.
    ``broke`` names the law that fell, and its line, where the story was told aloud.
    ``hint`` says what an error that is not ours most likely means.
    ``conduct`` is a digest of what was done and when, ``digest`` one of that and of all values.
    ``skip`` is what skipped the test, where a rule did. ``unfair`` are the holds by which a
    checkpoint outlasted a batch, and ``orders`` says whether plain trio shows the story, where
    that is known.
    """

    program: Program
    error: BaseException | None
    skip: BaseException | None
    skipped: Mapping[int, str]
    story: Story
    lines: tuple[str, ...]
    in_flight: tuple[str, ...]
    broke: str | None
    hint: str | None
    conduct: str
    digest: str
    by_rate: Mapping[int, tuple[Fault, ...]]
    unfair: tuple[Hold, ...] = ()
    orders: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin | None:
        """Which bug it is; None for a program that does not fail."""
        return None if self.error is None else origin_of(self.error)


class _Skip(Exception):
    """This step cannot be taken."""


def replay(
    machine_type: Any, program: Program, *, aloud: bool = False, driver: ProgramDriver | None = None
) -> Replay:
    """Run ``program`` on a new machine of this type; ``aloud`` keeps its story line by line."""
    __tracebackhide__ = True
    lines: list[str] = []
    run = _Run(machine_type, driver or ProgramDriver(program), lines if aloud else None)
    error: BaseException | None = None
    try:
        with with_reporter(run.hear), example_without_hypothesis(is_final=aloud):
            run.go(program)
    except BaseException as raised:
        error = raised
        if kind_of(error) == "stop":
            raise
    return run.result(program, error, tuple(lines))


class _Run:
    def __init__(self, machine_type: Any, driver: ProgramDriver, lines: list[str] | None) -> None:
        self._machine_type = machine_type
        self._driver = driver
        self._lines = lines
        if lines is not None:
            driver.say = lines.append
        self._skipped: dict[int, str] = {}
        self._by_rate: dict[int, tuple[Fault, ...]] = {}
        self._in_flight: tuple[str, ...] = ()
        self._machine: Any = None
        self._settings = Settings()
        #: What took the place of ``st.data()``, by the number of its step and its name.
        self._data: dict[tuple[int, str], RecordedData] = {}
        self._behaviour = Behaviour()

    def go(self, program: Program) -> None:
        """Every step, and the end of the example."""
        __tracebackhide__ = True
        self._say(f"state = {self._machine_type.__name__}()")
        with driven_by(self._driver):
            machine = self._machine = self._machine_type()
        try:
            self._go(machine, program)
        except BaseException:
            self._in_flight = tuple(
                f"{operation.name} is still in flight: {operation.place()}"
                for operation in machine._operations
                if not operation.done
            )
            raise
        finally:
            self._end(machine, program)

    def _end(self, machine: Any, program: Program) -> None:
        try:
            machine.teardown()
        finally:
            self._say("state.teardown()")
            for line in import_lines(self._faults_of(program)):
                self._say(line)

    def _faults_of(self, program: Program) -> Iterator[Fault]:
        """The faults that the lines of the story name."""
        for step in program.steps:
            for argument in step.arguments.values():
                if isinstance(argument, Literal) and isinstance(argument.value, Fault):
                    yield argument.value
        for faults in self._by_rate.values():
            yield from faults

    def _go(self, machine: Any, program: Program) -> None:
        __tracebackhide__ = True
        machine.check_invariants(self._settings, self._say, {})
        for step in program.steps:
            try:
                rule, references, arguments = self._prepared(step)
            except _Skip as reason:
                self._skipped[step.number] = str(reason)
                continue
            try:
                self._take(step, rule, references, arguments)
            finally:
                self._behaviour.step(step.number, step.rule, machine.world.clock.now)
                self._tell_holds(step, program)
            machine.check_invariants(self._settings, self._say, {})

    def _tell_holds(self, step: Step, program: Program) -> None:
        for hold in program.holds:
            if max(steps_named(hold), default=program.steps[0].number) == step.number:
                self._say(self._machine._story.tell_hold(str(hold)))

    def hear(self, note: object) -> None:
        """A note of the machine's, which is a line of its story."""
        self._say(str(note))

    def _say(self, line: str) -> None:
        if self._lines is not None:
            self._lines.append(line)

    def _take(
        self, step: Step, rule: Rule, references: dict[str, Any], arguments: dict[str, Any]
    ) -> None:
        __tracebackhide__ = True
        machine = self._machine
        shown = {name: machine._pretty_print(value) for name, value in references.items()}
        machine._take_step_number(step.number - 1)
        machine._arguments_drawn(references, {})
        result: Any = MultipleResults(())
        try:
            result = rule.function(machine, **arguments)
            values = result.values if isinstance(result, MultipleResults) else [result]
            self._behaviour.returned(list(values))
            if rule.targets:
                machine._add_results_to_targets(rule.targets, values)
        finally:
            line = machine._repr_step(rule, shown, result)
            self._by_rate[step.number] = tuple(machine._came_by_rate)
            self._say(line)

    def _prepared(self, step: Step) -> tuple[Rule, dict[str, Any], dict[str, Any]]:
        """The rule, its arguments as they are shown, and as they are passed; else _Skip."""
        machine = self._machine
        rule = next((r for r in _pending(machine) if r.function.__name__ == step.rule), None)
        if rule is None and step.rule == NEXT_FAULT:
            rule = _next_fault()
        if rule is None:
            raise _Skip(f"there is no rule {step.rule!r} now")
        if missing := set(rule.arguments) ^ set(step.arguments):
            raise _Skip(f"{step.rule} has other arguments now: {', '.join(sorted(missing))}")
        if not all(condition(machine) for condition in rule.preconditions):
            raise _Skip(f"the precondition of {step.rule} does not hold")
        references = {
            name: self._shown(step, name, rule.arguments_strategies[name])
            for name in step.arguments
        }
        passed = {
            name: machine.names_to_values[value.name] if isinstance(value, VarReference) else value
            for name, value in references.items()
        }
        for name, strategy in rule.arguments_strategies.items():
            if isinstance(strategy, Bundle):
                self._choose(strategy, references[name], passed[name])
        if rule in machine._initialize_rules_to_run:
            machine._initialize_rules_to_run.remove(rule)
        return rule, references, passed

    def _shown(self, step: Step, name: str, strategy: Any) -> Any:
        """A value, or a reference to one in a bundle."""
        argument = step.arguments[name]
        if isinstance(argument, Literal):
            return argument.value
        if isinstance(argument, Draws):
            data = self._data[step.number, name] = DrawnFromProgram(self._machine, argument.draws)
            return data
        if isinstance(argument, Drawn):
            return self._made_again(step, name, argument, strategy)
        variable = self._machine._recording.name_of(argument)
        if variable is None:
            raise _Skip(f"step {argument.step} made no such value")
        return VarReference(variable)

    def _made_again(self, step: Step, name: str, argument: Drawn, strategy: Any) -> Any:
        """What a strategy makes now; what it raises itself is the failure of the program."""
        __tracebackhide__ = True
        try:
            return drawn_again(strategy, argument.choices, self._machine, name=name)[0]
        except Exception as error:
            if kind_of(error) == "failure":
                self._say(f"# {step.rule}: its argument {name} cannot be drawn")
                raise
            raise _Skip(f"{argument.shown} cannot be made again: {error}") from error

    def _choose(self, bundle: Any, reference: Any, value: Any) -> None:
        """What drawing from a bundle does: it must be there, pass the filters, and may leave."""
        if not isinstance(reference, VarReference):
            return
        held = self._machine.bundle(bundle.name)
        if reference not in held:
            raise _Skip(f"{reference.name} is no longer in the bundle {bundle.name}")
        conditions = [made for kind, made, _ in bundle._transformations if kind == "filter"]
        if not all(condition(value) for condition in conditions):
            raise _Skip(f"{reference.name} is not one that this rule takes")
        if bundle.consume:
            held.remove(reference)

    def result(
        self, program: Program, error: BaseException | None, lines: tuple[str, ...]
    ) -> Replay:
        """What came of it."""
        machine = self._machine
        if machine is not None:
            self._behaviour.end(machine, error)
        done = program.without(self._skipped) if self._skipped else program
        kind = None if error is None else kind_of(error)
        return Replay(
            program=self._with_draws(done) if self._data else done,
            error=error if kind in ("failure", "mistake") else None,
            skip=error if kind == "skip" else None,
            skipped=self._skipped,
            story=machine._story if machine is not None else Story(self._machine_type.__name__),
            lines=lines,
            in_flight=self._in_flight,
            broke=None if error is None or not lines else what_broke(self._machine_type, error),
            hint=None if error is None or not lines else hint_for(error, machine),
            conduct=self._behaviour.conduct(),
            digest=self._behaviour.digest(),
            by_rate=self._by_rate,
            unfair=machine.world.scheduler.unfair(done.holds) if machine is not None else (),
        )

    def _with_draws(self, program: Program) -> Program:
        """The program with what was really drawn."""
        steps = []
        for step in program.steps:
            drawn = {
                name: self._data[step.number, name].as_argument()
                for name in step.arguments
                if (step.number, name) in self._data
            }
            steps.append(replace(step, arguments={**step.arguments, **drawn}) if drawn else step)
        return replace(program, steps=tuple(steps))


def _pending(machine: Any) -> list[Rule]:
    """Initialize rules come first, each of them once."""
    waiting: list[Rule] = machine._initialize_rules_to_run
    return waiting or machine.rules


@lru_cache
def _next_fault() -> Rule:
    """One fault for one request: the pass puts it where a rate was, whatever rules there are."""
    return step_of(one_fault_rule())
