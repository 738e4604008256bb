"""Hypothesis's choice sequence, as our Choices: the one module that touches ConjectureData."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import __version__ as hypothesis_version
from hypothesis.control import BuildContext, current_build_context, currently_in_test_context
from hypothesis.core import decode_failure, encode_failure
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.internal.conjecture.choice import (
    ChoiceTemplate,
    choice_key,
    choice_permitted,
    choice_to_index,
)
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.internal.floats import SMALLEST_SUBNORMAL
from hypothesis.internal.intervalsets import IntervalSet

from chaoscheck.errors import PlanError
from chaoscheck.world.choices import Choices

__all__ = [
    "ChoiceNode",
    "DrawnChoices",
    "blob_of",
    "choices_since",
    "current_data",
    "drawn_again",
    "drawn_at_random",
    "drawn_in_example",
    "example_without_hypothesis",
    "in_example",
    "is_final_run",
    "nodes_of",
    "random_data",
    "reproduction",
    "run_of",
    "unbounded_nodes",
]

# A value, and the choices that it was made of.
Made = tuple[Any, tuple[bool | int | float | str | bytes, ...]]

DRAWS_MAX = 2_500  # an example has room for ~4096 small draws; the program needs the rest


class DrawnChoices(Choices):
    """Choices drawn from Hypothesis, in the same sequence as rules and arguments.

    A draw that Hypothesis refuses (the example is too long) raises outside ticks; inside a tick
    the world keeps the exception and everything later is 0. So is what lies beyond
    ``DRAWS_MAX`` draws.
    """

    def __init__(self, data: Any) -> None:
        super().__init__()
        self._data = data
        self._left = DRAWS_MAX

    def _pick(self, label: str, options: int) -> int:
        if not self._spend():
            return 0
        try:
            return int(self._data.draw_integer(0, options - 1))
        except BaseException as error:
            return self._refused(error)

    def _weigh(self, label: str, weights: Sequence[float]) -> int:
        if not self._spend():
            return 0
        total = sum(weights)
        try:
            if not self._data.draw_boolean(min(total, 1.0)):
                return 0
            possible = [index for index, weight in enumerate(weights, start=1) if weight > 0]
            if len(possible) == 1:
                return possible[0]
            point = self._data.draw_integer(0, 1023) / 1024 * total
        except BaseException as error:
            return self._refused(error)
        for index in possible:
            point -= weights[index - 1]
            if point < 0:
                return index
        return possible[-1]

    def _spend(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _refused(self, error: BaseException) -> int:
        self._left = 0
        if self.absorb(error):
            return 0
        raise error


def current_data() -> Any:
    """The ConjectureData of the running example; PlanError outside Hypothesis."""
    try:
        return current_build_context().data
    except Exception as error:
        raise PlanError(
            "a chaos machine runs under Hypothesis only: use its TestCase, or run_machine"
        ) from error


def drawn_again(strategy: Any, choices: Sequence[Any], runner: Any, *, name: str = "") -> Made:
    """What ``strategy`` makes of ``choices`` alone, and the choices that it really took.

    A choice that is not legal where it stands is replaced by the simplest one. ``runner`` is the
    machine that the strategy may ask, ``name`` what Hypothesis calls the value if the strategy
    fails. PlanError when the choices are too few, or when the strategy refuses what it makes.
    """
    try:
        return _drawn(strategy, ConjectureData.for_choices(choices), runner, name)
    except StopTest as refusal:
        raise PlanError(f"{strategy!r} makes nothing of {list(choices)!r}") from refusal


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceNode:
    """One choice, and which others were legal in its place, in Hypothesis's order of simplicity."""

    value: Any
    constraints: Any

    @property
    def index(self) -> int:
        """How many legal choices are simpler, 0 for the simplest (floats: their rank)."""
        if isinstance(self.value, str | bytes) and len(self.value) > _INDEXED_LENGTH_MAX:
            return 1 << (_CHARACTER_BITS * len(self.value))  # the exact number takes long
        return choice_to_index(self.value, self.constraints)

    @property
    def key(self) -> object:
        """Equal for equal values of one type, also for NaN and the two zeros."""
        return type(self.value), choice_key(self.value)

    @property
    def target(self) -> int:
        """Of an integer: the simplest legal one."""
        low, high = self.constraints["min_value"], self.constraints["max_value"]
        target: int = self.constraints["shrink_towards"]
        target = target if low is None else max(low, target)
        return target if high is None else min(high, target)

    def simplest_character(self, rank: int) -> str:
        """Of a text: the character of this rank in the alphabet, 0 for the simplest."""
        character: str = self.constraints["intervals"].char_in_shrink_order(rank)
        return character

    def rank_of(self, character: str) -> int:
        """Of a text: the rank of this character in the alphabet."""
        rank: int = self.constraints["intervals"].index_from_char_in_shrink_order(character)
        return rank

    def simpler(self, value: Any) -> bool:
        """Whether ``value``, of the same type, is legal in its place and simpler."""
        if not choice_permitted(value, self.constraints):
            return False
        return ChoiceNode(value, self.constraints).index < self.index


# An index of a longer text is an integer of more than 20 kbit.
_INDEXED_LENGTH_MAX = 1_000
_CHARACTER_BITS = 21  # Unicode ends at 0x10ffff


def nodes_of(strategy: Any, choices: Sequence[Any], runner: Any) -> tuple[ChoiceNode, ...]:
    """The choices that ``strategy`` takes of ``choices``, each with what was legal in its place.

    PlanError as ``drawn_again`` raises it.
    """
    data = ConjectureData.for_choices(choices)
    try:
        _drawn(strategy, data, runner, "")
    except StopTest as refusal:
        raise PlanError(f"{strategy!r} makes nothing of {list(choices)!r}") from refusal
    return tuple(ChoiceNode(node.value, node.constraints) for node in data.nodes)


def unbounded_nodes(choices: Sequence[Any]) -> tuple[ChoiceNode, ...]:
    """The same where it is not known which strategy took them: any value is legal."""
    return tuple(ChoiceNode(choice, _UNBOUNDED[type(choice)]) for choice in choices)


_UNBOUNDED: dict[type, dict[str, Any]] = {
    bool: {"p": 0.5},
    int: {"min_value": None, "max_value": None, "weights": None, "shrink_towards": 0},
    float: {
        "min_value": -math.inf,
        "max_value": math.inf,
        "allow_nan": True,
        "smallest_nonzero_magnitude": SMALLEST_SUBNORMAL,
    },
    str: {"intervals": IntervalSet(((0, 0x10FFFF),)), "min_size": 0, "max_size": 10**10},
    bytes: {"min_size": 0, "max_size": 10**10},
}


def drawn_in_example(strategy: Any, choices: Sequence[Any], runner: Any, *, name: str = "") -> Made:
    """``drawn_again`` for a draw from ``st.data()``, which never lacks choices.

    Beyond ``choices`` everything is the simplest. UnsatisfiedAssumption when the strategy refuses
    what it makes.
    """
    padded = (*choices, ChoiceTemplate("simplest", count=None))
    data = ConjectureData(random=None, prefix=padded, max_choices=DRAWS_MAX)
    return _drawn_or_refused(strategy, data, runner, name)


def random_data(generator: Any) -> ConjectureData:
    """What ``drawn_at_random`` draws from once; ``generator`` is a random.Random."""
    return ConjectureData(random=generator, prefix=(), max_choices=DRAWS_MAX)


def drawn_at_random(strategy: Any, data: ConjectureData, runner: Any, *, name: str = "") -> Made:
    """What ``strategy`` makes by chance, and the choices that ``drawn_again`` takes.

    UnsatisfiedAssumption when the strategy refuses what it makes.
    """
    return _drawn_or_refused(strategy, data, runner, name)


def _drawn_or_refused(strategy: Any, data: ConjectureData, runner: Any, name: str) -> Made:
    try:
        return _drawn(strategy, data, runner, name)
    except StopTest as refusal:
        raise UnsatisfiedAssumption(f"{strategy!r} refuses what it makes") from refusal


def _drawn(strategy: Any, data: ConjectureData, runner: Any, name: str) -> Made:
    """Draw outside of any example: strategies want a runner and a context all the same."""
    data.hypothesis_runner = runner
    with BuildContext(data, wrapped_test=_drawn):
        value = data.draw(strategy, observe_as=f"generate:{name}" if name else None)
        return value, data.choices


def in_example() -> bool:
    """Whether an example of Hypothesis is running here."""
    return currently_in_test_context()


def run_of(data: Any) -> object:
    """What all examples of one run of Hypothesis have in common; None for its last, told run.

    It is the engine's own generator: each run of ``@given`` makes one.
    """
    return data._random


@contextmanager
def example_without_hypothesis(*, is_final: bool) -> Iterator[None]:
    """``note``, ``event``, ``target`` and ``assume`` may be called meanwhile, as in any example.

    Notes are reported if it ``is_final``.
    """
    data = ConjectureData.for_choices(())
    with BuildContext(data, is_final=is_final, wrapped_test=example_without_hypothesis):
        yield


def choices_since(data: Any, start: int) -> tuple[bool | int | float | str | bytes, ...]:
    """What an example chose from its ``start``-th choice on."""
    return tuple(node.value for node in data.nodes[start:])


def is_final_run() -> bool:
    """Whether this is Hypothesis's last run of a minimal failing example, made for printing."""
    return bool(current_build_context().is_final)


def blob_of(data: Any) -> str:
    """The choices of an example as a short text that ``--chaos-replay`` takes."""
    return encode_failure(data.choices).decode("ascii")


def reproduction(blob: str) -> tuple[str, bytes]:
    """What makes Hypothesis replay ``blob``; PlanError when it is no such text."""
    try:
        raw = blob.encode("ascii")
        base64.b64decode(raw, validate=True)
        if not decode_failure(raw):
            raise ValueError("it holds no choice")
    except Exception as error:
        raise PlanError(
            f"not a replay blob (a base64 text that a failing run printed): {blob[:40]!r}"
        ) from error
    return hypothesis_version, raw
