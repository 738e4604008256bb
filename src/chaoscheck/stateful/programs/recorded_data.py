"""What ``st.data()`` gives a rule: it draws as ever, and each draw becomes part of the program."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from hypothesis import note
from hypothesis.control import current_build_context, should_note
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.strategies import DataObject, SearchStrategy
from hypothesis.vendor.pretty import RepresentationPrinter

from chaoscheck.plan.program import Drawn, Draws
from chaoscheck.stateful.conjecture import (
    choices_since,
    drawn_at_random,
    drawn_in_example,
    random_data,
)

# Theory of operation. A rule that takes ``st.data()`` draws while it runs, from strategies that
# only it knows. What it drew is an argument of the step all the same: the choices of each draw, in
# order. On replay the n-th draw is made again from the n-th choices, by whatever strategy asks for
# it now; where none are on record, it is the simplest. A strategy that raises is on record too,
# with the choices upon which it did, so that a replay meets the same error.

__all__ = ["DrawnAtRandom", "DrawnByHypothesis", "DrawnFromProgram", "RecordedData"]

Choices = tuple[bool | int | float | str | bytes, ...]
SHOWN_MAX = 1_000  # characters of a drawn value that are kept for the reader


class RecordedData(DataObject):
    """``data`` as a rule knows it, with its draws on record."""

    def __init__(self) -> None:
        self._draws: list[Drawn] = []

    def as_argument(self) -> Draws:
        """What was drawn so far."""
        return Draws(tuple(self._draws))

    def draw(self, strategy: SearchStrategy[Any], label: Any = None) -> Any:
        """A value of ``strategy``; see hypothesis.strategies.DataObject."""
        __tracebackhide__ = True
        try:
            value, choices = self._make(strategy, label)
        except (StopTest, UnsatisfiedAssumption):
            raise  # the example is none
        except Exception as error:
            self._draws.append(Drawn(self._choices_of_error(), f"raises {type(error).__name__}"))
            raise
        self._draws.append(Drawn(choices, repr(value)[:SHOWN_MAX]))
        return value

    @abstractmethod
    def _make(self, strategy: SearchStrategy[Any], label: Any) -> tuple[Any, Choices]:
        """A value and the choices it was made of."""

    @abstractmethod
    def _choices_of_error(self) -> Choices:
        """The choices upon which the last strategy raised."""


class DrawnByHypothesis(RecordedData):
    """Hypothesis draws, counts and prints; ``data`` is what it gave the rule."""

    def __init__(self, data: DataObject) -> None:
        super().__init__()
        self._data = data
        self._start = 0
        self.conjecture_data = data.conjecture_data

    def _make(self, strategy: SearchStrategy[Any], label: Any) -> tuple[Any, Choices]:
        __tracebackhide__ = True
        self._start = len(self.conjecture_data.nodes)
        value = self._data.draw(strategy, label)
        return value, self._choices_of_error()

    def _choices_of_error(self) -> Choices:
        return choices_since(self.conjecture_data, self._start)


class _DrawnWithoutHypothesis(RecordedData):
    """Draws for ``machine``; a note tells of each, numbered through the example."""

    def __init__(self, machine: Any) -> None:
        super().__init__()
        self._machine = machine

    def _make(self, strategy: SearchStrategy[Any], label: Any) -> tuple[Any, Choices]:
        __tracebackhide__ = True
        self._machine._draws_made += 1
        name = f"Draw {self._machine._draws_made}{'' if label is None else f' ({label})'}"
        value, choices = self._drawn(strategy, name)
        if should_note():
            printer = RepresentationPrinter(context=current_build_context())
            printer.text(f"{name}: ")
            printer.pretty(value)
            note(printer.getvalue())
        return value, choices

    @abstractmethod
    def _drawn(self, strategy: SearchStrategy[Any], name: str) -> tuple[Any, Choices]:
        """A value and the choices it was made of; ``name`` is for Hypothesis's note on an error."""


class DrawnFromProgram(_DrawnWithoutHypothesis):
    """The draws of a program, made again."""

    def __init__(self, machine: Any, recorded: Sequence[Drawn]) -> None:
        super().__init__(machine)
        self._recorded = recorded

    def _drawn(self, strategy: SearchStrategy[Any], name: str) -> tuple[Any, Choices]:
        __tracebackhide__ = True
        return drawn_in_example(strategy, self._choices_of_error(), self._machine, name=name)

    def _choices_of_error(self) -> Choices:
        place = len(self._draws)
        return self._recorded[place].choices if place < len(self._recorded) else ()


class DrawnAtRandom(_DrawnWithoutHypothesis):
    """Draws of the explorer; ``generator`` is a random.Random."""

    def __init__(self, machine: Any, generator: Any) -> None:
        super().__init__(machine)
        self._generator = generator
        self._data: Any = None

    def _drawn(self, strategy: SearchStrategy[Any], name: str) -> tuple[Any, Choices]:
        self._data = random_data(self._generator)
        return drawn_at_random(strategy, self._data, self._machine, name=name)

    def _choices_of_error(self) -> Choices:
        return choices_since(self._data, 0)
