"""A planted bug: a component that is wrong in one place, and the law that must catch it.

Each twin breaks one sentence of the laws of its component, which its docstring quotes, by
overriding one method. The machine around it is the property itself: nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["PlantedBug", "names_in_the_traceback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedBug:
    """One wrong variant of a component, put into a machine.

    ``machine`` runs the twin and ``sound`` is the same machine around the correct component.
    ``laws`` names the invariants or rules of which one must fail, or an exception type.
    ``budget`` is the number of examples within which a search finds it.
    ``smallest_known_steps`` is the length of the shortest program that we know: its steps and
    its holds, without the two lines of healing and waiting with which every story ends.
    Every text of ``shows`` stands in the story.
    """

    name: str
    what: str
    machine: type[Any]
    sound: type[Any]
    laws: tuple[str, ...]
    smallest_known_steps: int
    budget: int = 300
    shows: tuple[str, ...] = ()


def names_in_the_traceback(error: BaseException) -> set[str]:
    """The types of ``error`` and its parts, and the functions through which they came."""
    return set(_names(error))


def _names(error: BaseException) -> Iterator[str]:
    yield type(error).__name__
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_name
        traceback = traceback.tb_next
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _names(part)
