"""The steps of an example on record: numbered, named, and printed as the story's lines."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from hypothesis.stateful import Rule, RuleBasedStateMachine
from hypothesis.strategies import DataObject

from chaoscheck.history.operations import History
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.program import Drawn, Program
from chaoscheck.report.story import Story
from chaoscheck.stateful.called_rules import CalledRules
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.driver import Driver
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.in_flight import OPERATIONS
from chaoscheck.stateful.programs.recorded_data import DrawnByHypothesis
from chaoscheck.stateful.programs.recording import Recording, Span
from chaoscheck.stateful.tallies.run_tally import RunTally
from chaoscheck.world.operation import Operation
from chaoscheck.world.world import World

# Theory of operation. Everything that happens is on record (``recording``), so that a failing
# example becomes a program, which replays without Hypothesis: the ``driver`` is then the program
# itself. Hypothesis draws, calls and prints; it says so through these methods.

__all__ = ["StepRecording"]

# An operation is called increment@1 wherever it is spoken of; the variable of a story that can be
# pasted is increment_1.
_NO_IDENTIFIER = re.compile(r"\W")


class StepRecording(RuleBasedStateMachine):
    """Keeps which rules were called, with what, and what they made."""

    #: What the example runs in, what can be done to it, and what its operations did.
    world: World
    chaos: Chaos
    history: History

    _driver: Driver
    _story: Story
    #: The rules that are chosen and sorted as chaos rules, and those of them that are ready-made.
    _chaos_names: ClassVar[frozenset[str]] = frozenset()
    _ready_made: ClassVar[frozenset[str]] = frozenset()
    #: What all examples of a run count.
    _tally: ClassVar[RunTally]

    def _begin_record(self, driver: Driver) -> None:
        """An example begins; nothing has happened in it yet."""
        self._driver = driver
        self._story = Story(type(self).__name__)
        #: The operations that rules started, in order.
        self._operations: list[Operation[Any]] = []
        #: The faults that came by rate during the last step.
        self._came_by_rate: list[Fault] = []
        self._recording = Recording(driver.choices.log)
        self._drawn: tuple[dict[str, Any], dict[str, Span]] = ({}, {})
        self._step_number = 0
        #: The hosts that the last link rule meant; where there is one host, none is named.
        self._aimed_at: tuple[str, ...] = ()
        self._draws_made = 0  # from st.data(), where no Hypothesis counts them
        self._called_rules = CalledRules()

    def _program(self) -> Program:
        """What happened in this example so far, as a value that replays."""
        return self._recording.program(self._driver.choice_sequence(), self.world.scheduler)

    # ------------------------------------------------------------------ a step

    def _arguments_drawn(self, arguments: dict[str, Any], spans: dict[str, Span]) -> None:
        """The selection drew these for the next step, at these places of the choices."""
        self._drawn = (arguments, spans)

    def _argument_drawn(self, name: str, value: Any, span: Span) -> None:
        """Hypothesis drew this argument of the next initialize rule."""
        self._drawn[0][name] = value
        self._drawn[1][name] = span

    def _argument_failed(self, rule: Rule, name: str, span: Span, error: Exception) -> None:
        """The strategy of an argument raised: the step is on record as far as it came.

        Its story fails as it is made again, upon the same choices; what comes after ``name`` was
        never drawn.
        """
        if kind_of(error) != "failure":
            return
        drawn, spans = self._drawn
        choices = tuple(self._driver.choice_sequence()[span[0] : span[1]])
        failed = {name: Drawn(choices, f"raises {type(error).__name__}")}
        rest = {each: Drawn(()) for each in rule.arguments if each not in {name, *drawn}}
        self._drawn = ({**drawn, **failed, **rest}, spans)
        self._begin_step(rule, {})

    def _begin_step(self, rule: Rule, arguments: dict[str, Any]) -> dict[str, Any]:
        """A rule is about to be called with these values; gives those that it is passed."""
        recorded = {
            name: DrawnByHypothesis(value)
            for name, value in arguments.items()
            if type(value) is DataObject
        }
        arguments |= recorded
        drawn, spans = self._drawn
        drawn |= recorded if drawn else {}
        self._drawn = ({}, {})
        self._aimed_at = ()
        self._step_number += 1
        self._take_step_number(self._step_number)
        name = rule.function.__name__
        self._tally.rule(name).runs += 1
        self._recording.begin(self._step_number, name, drawn or dict(arguments), spans)
        return arguments

    def _require_awaited(self) -> None:
        """PlanError when a step called an async rule and never awaited what it got."""
        if self._called_rules and self.world.settled:
            self._called_rules.require_awaited()

    def _take_step_number(self, number: int) -> None:
        """What happens from now on belongs to this step."""
        self._step_number = number
        self._driver.begin_step(number)
        self.world.begin_step(number)

    def _aim_at(self, host: str) -> None:
        """The link rule that is being called means this one of several hosts."""
        self._aimed_at = (host,)

    # ------------------------------------------------------------------ what a step made

    def _new_name(self, target: str) -> str:
        if target != OPERATIONS.name:
            new: str = super()._new_name(target)  # type: ignore[no-untyped-call]
            return new
        name = _NO_IDENTIFIER.sub("_", self._operations[-1].name)
        while name in self.names_to_values:  # a bundle's value has it already
            name += "_"
        self.names_list.append(name)
        return name

    def _add_results_to_targets(self, targets: Any, results: Any) -> None:
        before = len(self.names_list)
        super()._add_results_to_targets(targets, results)  # type: ignore[no-untyped-call]
        self._recording.made(self.names_list[before:])

    # ------------------------------------------------------------------ its line

    def _repr_step(self, rule: Rule, data: Any, result: Any) -> str:
        name = rule.function.__name__
        if name in self._ready_made or not hasattr(self, name):
            shown = [*(data[each] for each in rule.arguments), *map(repr, self._aimed_at)]
            text = f"state.chaos.{name}({', '.join(shown)})"
        else:
            text = super()._repr_step(rule, data, result)
        return self._story.tell_step(text, self._faults_by_rate())

    def _faults_by_rate(self) -> list[str]:
        server = self.chaos.server
        self._came_by_rate = [] if server is None else list(server.take_faults_by_rate())
        return [repr(fault) for fault in self._came_by_rate]

    def _tell_the_end(self, lines: list[str]) -> None:
        if self._driver.say is not None:
            for line in lines:
                self._driver.say(line)
