"""Recording: what a machine does becomes a Program while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis.stateful import VarReference

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.program import SETUP, Argument, Decision, Drawn, Literal, Program, Reference
from chaoscheck.plan.program import Step as ProgramStep
from chaoscheck.stateful.programs.recorded_data import RecordedData
from chaoscheck.world.choices import Choice
from chaoscheck.world.schedule import Scheduler

__all__ = ["Recording", "Span", "is_plain", "kept_argument"]

# Where the choices of an argument stand in the example's sequence: from, to.
Span = tuple[int, int]

_PLAIN = (bool, int, float, str, type(None))
# Decisions about the order of tasks are not kept as such: the holds say the same by name.
_SCHEDULE = "schedule"


def is_plain(value: object) -> bool:
    """Whether a value can stand for itself in a program: it never changes and has a text."""
    return isinstance(value, Fault) or type(value) in _PLAIN


def kept_argument(
    value: Any, choices: tuple[bool | int | float | str | bytes, ...]
) -> Literal | Drawn:
    """A value that was made of these choices, as a program keeps it."""
    return Literal(value, choices) if is_plain(value) else Drawn(choices, repr(value))


class _Note:
    """One step as it began: cheap to take, since it is taken for every step of every example."""

    __slots__ = ("arguments", "decided", "number", "rule", "spans")

    def __init__(
        self,
        number: int,
        rule: str,
        arguments: Mapping[str, Any],
        spans: Mapping[str, Span],
        decided: int,
    ) -> None:
        self.number = number
        self.rule = rule
        self.arguments = arguments
        self.spans = spans
        self.decided = decided


class Recording:
    """Notes of one example. ``log`` is the world's log of decisions, which grows meanwhile."""

    def __init__(self, log: list[Choice]) -> None:
        self._log = log
        self._notes: list[_Note] = []
        self._made: dict[str, Reference] = {}

    @property
    def steps(self) -> int:
        """How many steps began."""
        return len(self._notes)

    def begin(
        self, number: int, rule: str, arguments: Mapping[str, Any], spans: Mapping[str, Span]
    ) -> None:
        """A step begins, with values or references to what is in bundles."""
        self._notes.append(_Note(number, rule, arguments, spans, len(self._log)))

    def made(self, names: Sequence[str]) -> None:
        """The last step gave these values to bundles."""
        number = self._notes[-1].number if self._notes else SETUP
        for place, name in enumerate(names):
            self._made[name] = Reference(number, place)

    def name_of(self, reference: Reference) -> str | None:
        """What a value is called in this run; None if it was not made."""
        return next((name for name, made in self._made.items() if made == reference), None)

    def program(self, choices: Sequence[Any], scheduler: Scheduler) -> Program:
        """All of it as a value; ``choices`` is the example's whole sequence."""
        return Program(
            steps=tuple(self._step(note, choices) for note in self._notes),
            decisions=tuple(self._decisions()),
            holds=scheduler.holds(),
        )

    def _step(self, note: _Note, choices: Sequence[Any]) -> ProgramStep:
        arguments = {
            name: self._argument(value, note.spans.get(name), choices)
            for name, value in note.arguments.items()
        }
        return ProgramStep(number=note.number, rule=note.rule, arguments=arguments)

    def _argument(self, value: Any, span: Span | None, choices: Sequence[Any]) -> Argument:
        if isinstance(value, VarReference):
            return self._made[value.name]
        if isinstance(value, Literal | Drawn):
            return value  # the explorer notes arguments as they are kept
        if isinstance(value, RecordedData):
            return value.as_argument()
        drawn = tuple(choices[span[0] : span[1]]) if span is not None else ()
        return kept_argument(value, drawn)

    def _decisions(self) -> list[Decision]:
        found: list[Decision] = []
        edges = [(note.decided, note.number) for note in self._notes]
        number, at = SETUP, 0
        asked: Counter[str] = Counter()
        for place, choice in enumerate(self._log):
            while at < len(edges) and edges[at][0] <= place:
                number, at = edges[at][1], at + 1
                asked = Counter()
            if not choice.label.startswith(_SCHEDULE):
                if choice.value:
                    found.append(Decision(number, choice.label, asked[choice.label], choice.value))
                asked[choice.label] += 1
        return found
