"""Hypothesis's choice sequence, as our Choices: the one module that touches ConjectureData."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import __version__ as hypothesis_version
from hypothesis.control import BuildContext, current_build_context
from hypothesis.core import decode_failure, encode_failure
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.internal.conjecture.choice import ChoiceTemplate
from hypothesis.internal.conjecture.data import ConjectureData

from chaoscheck.errors import PlanError
from chaoscheck.world.choices import Choices

__all__ = [
    "DrawnChoices",
    "blob_of",
    "choices_since",
    "current_data",
    "drawn_again",
    "drawn_at_random",
    "drawn_in_example",
    "example_without_hypothesis",
    "is_final_run",
    "random_data",
    "reproduction",
    "run_of",
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
