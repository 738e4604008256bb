"""The parts of a benchmark, one after the other: one that fails costs no other its figures."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from metric import Metric

__all__ = ["Failure", "Result", "Skipped", "measured"]

_FRAMES_SHOWN = 3  # of the traceback, the innermost: where it failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """What this machine cannot measure, and why; the exit code does not depend on it."""

    name: str
    reason: str

    @property
    def ok(self) -> bool:
        """Nothing was missed."""
        return True

    def as_json(self) -> dict[str, object]:
        """The shape that ``--json`` prints."""
        return {"name": self.name, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.name}: skipped: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A part that raised: the figures that it had given by then stand, the others are missing."""

    group: str
    part: str
    error: str
    where: str

    @property
    def ok(self) -> bool:
        """Figures are missing."""
        return False

    def as_json(self) -> dict[str, object]:
        """The shape that ``--json`` prints."""
        return {"group": self.group, "part": self.part, "error": self.error}

    def __str__(self) -> str:
        return f"FAILED {self.group} ({self.part}): {self.error}\n{self.where}"


Result = Metric | Skipped | Failure


def measured(groups: Mapping[str, Sequence[str]]) -> Iterator[Result]:
    """What each part of each group gives, as it comes; a Failure for a part that raises.

    A part is ``module:function``, a function without parameters that yields results.
    """
    for group, parts in groups.items():
        for part in parts:
            try:
                yield from _function(part)()
            except Exception as error:  # whatever is measured may fail in any way
                yield _failure(group, part, error)


def _function(part: str) -> Callable[[], Iterator[Metric | Skipped]]:
    module, _, function = part.partition(":")
    found: Callable[[], Iterator[Metric | Skipped]] = getattr(
        importlib.import_module(module), function
    )
    return found


def _failure(group: str, part: str, error: Exception) -> Failure:
    frames = traceback.format_tb(error.__traceback__)[-_FRAMES_SHOWN:]
    said = "".join(traceback.format_exception_only(error)).strip()
    return Failure(group=group, part=part, error=said, where="".join(frames).rstrip())
