"""Smaller arguments: proposals for the choices that an argument is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaoscheck.plan.program import Argument, Drawn, Literal, Step

__all__ = ["lowered", "merged", "raised", "shortened"]

Choices = tuple[Any, ...]
CHOICES_MAX = 64  # an argument of more choices is Hypothesis's business
RUN_MAX = 12  # the longest run of choices that is left out at once


def shortened(argument: Argument) -> Iterator[Choices]:
    """Without a run of choices, the longest first: an element of a list is such a run."""
    choices = _choices(argument)
    if len(choices) > CHOICES_MAX:
        return
    for length in range(min(len(choices) - 1, RUN_MAX), 0, -1):
        for place in range(len(choices) - length + 1):
            yield (*choices[:place], *choices[place + length :])


def lowered(argument: Argument) -> Iterator[Choices]:
    """Choices like those of ``argument``, with one of them nearer to 0; the boldest first."""
    choices = _choices(argument)
    if len(choices) > CHOICES_MAX:
        return
    for place, choice in enumerate(choices):
        for smaller in _nearer(choice):
            yield (*choices[:place], smaller, *choices[place + 1 :])


def _nearer(choice: Any) -> list[Any]:
    if isinstance(choice, bool):
        return [False] if choice else []
    if isinstance(choice, int):
        sign = 1 if choice > 0 else -1
        size = abs(choice)
        tried = [0, 1, size // 2, size - size // 4, size - 10, size - 2, size - 1]
        return [sign * each for each in dict.fromkeys(tried) if 0 <= each < size]
    if isinstance(choice, float) and choice == choice and abs(choice) < 1e12:
        whole = float(int(choice))
        return [each for each in dict.fromkeys([0.0, 1.0, whole]) if abs(each) < abs(choice)]
    return []


def raised(argument: Argument) -> Iterator[Choices]:
    """Choices like those of ``argument``, with one number a little further from 0."""
    choices = _choices(argument)
    if len(choices) > CHOICES_MAX:
        return
    for place, choice in enumerate(choices):
        for greater in _greater(choice):
            yield (*choices[:place], greater, *choices[place + 1 :])


def _greater(choice: Any) -> list[int]:
    if not _is_integer(choice):
        return []
    sign = -1 if choice < 0 else 1
    return [choice + sign * more for more in dict.fromkeys((1, 2, abs(choice))) if more]


def merged(kept: Step, gone: Step) -> Iterator[tuple[str, Choices]]:
    """For each argument of ``kept``: its choices with those of ``gone`` added, number by number.

    Or with those of ``gone`` behind them, which is both lists in one: the choices of a list end
    with a False that says that there are no more elements.
    """
    for name, argument in kept.arguments.items():
        other = gone.arguments.get(name)
        if other is None:
            continue
        mine, theirs = _choices(argument), _choices(other)
        if len(mine) > 1 and mine[-1] is False and theirs:
            yield name, (*mine[:-1], *theirs)
        if len(mine) == len(theirs) and any(_is_integer(choice) for choice in mine):
            yield (
                name,
                tuple(
                    one + two if _is_integer(one) and _is_integer(two) else one
                    for one, two in zip(mine, theirs, strict=True)
                ),
            )


def _choices(argument: Argument) -> Choices:
    return argument.choices if isinstance(argument, Literal | Drawn) else ()


def _is_integer(choice: object) -> bool:
    return isinstance(choice, int) and not isinstance(choice, bool)
