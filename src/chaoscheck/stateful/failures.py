"""The failures of one run, told apart: by the type of the exception and the line that raised it."""

from __future__ import annotations

import sysconfig
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import hypothesis
import trio

from chaoscheck.plan.program import Program
from chaoscheck.report.story import Story

__all__ = ["Failure", "Failures", "Origin", "origin_of"]

# Hypothesis shrinks well, but slowly where schedules are drawn; the domain pass does the rest. Of
# the 67 planted bugs and races, one seed each, 150 examples leave three longer than the shortest
# story known of any law, as do 400; 50 leave four, and none at all five. The medians were 0.8, 1.3,
# 0.7 and 0.2 CPU seconds. One of those left at 0, 150 and 400 has since gone (``small_stories``).
SHRINKING_EXAMPLES_MAX = 150

_CHAOSCHECK = str(Path(__file__).parents[1])

# Frames of these are not where a failure comes from: whoever called them is.
_LIBRARIES = tuple(
    str(Path(place))
    for place in (
        Path(trio.__file__).parent,
        Path(hypothesis.__file__).parent,
        sysconfig.get_path("stdlib"),
        Path(__file__).parents[1],
    )
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What makes two failures the same one."""

    kind: str
    file: str
    line: int

    @property
    def is_ours(self) -> bool:
        """Whether the line is one of chaoscheck's, which says nothing to the test's author."""
        return not self.file or self.file.startswith(_CHAOSCHECK)

    def __str__(self) -> str:
        return f"{self.kind} at {Path(self.file).name}:{self.line}"


def origin_of(error: BaseException) -> Origin:
    """The innermost line of the user's own code on the way to ``error``, else to its cause.

    Where neither went through any, the innermost line of all.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    cause = error.__cause__
    place = _own(error) or (None if cause is None else _own(cause)) or _inner(error)
    if place is None:
        return Origin(type(error).__qualname__, "", 0)
    return Origin(type(error).__qualname__, place.tb_frame.f_code.co_filename, place.tb_lineno)


def _steps_to(error: BaseException) -> Iterator[TracebackType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _inner(error: BaseException) -> TracebackType | None:
    return next(iter(deque(_steps_to(error), maxlen=1)), None)


def _own(error: BaseException) -> TracebackType | None:
    own = None
    for step in _steps_to(error):
        name = step.tb_frame.f_code.co_filename
        if "site-packages" not in name and not name.startswith(_LIBRARIES):
            own = step
    return own


@dataclass(slots=True)
class Failure:
    """One bug as a run met it: the first story, and the last, which is the smallest.

    ``examples`` is how many examples had run when it was met first, itself included.
    """

    origin: Origin
    first: Story
    last: Story
    examples: int


class Failures:
    """Every bug that a run met, in the order of their discovery."""

    def __init__(self) -> None:
        self._by_origin: dict[Origin, Failure] = {}
        self.latest: Story | None = None
        self._since = 0
        self._run: object = None
        #: Gives the program of the example that ran last, whether it failed or not.
        self.example: Callable[[], Program] | None = None

    def of_run(self, run: object) -> None:
        """An example of this run begins: another run of the same machine begins with nothing.

        ``run`` is None for an example that Hypothesis only repeats.
        """
        if run is not None and run is not self._run:
            self.clear()
            self._run = run

    def enough(self) -> bool:
        """Count one more example; whether Hypothesis has had its share of them since a failure."""
        if self.latest is None:
            return False
        self._since += 1
        return self._since > SHRINKING_EXAMPLES_MAX

    def clear(self) -> None:
        """A new run begins."""
        self._since = 0
        self._by_origin.clear()
        self.latest = self.example = None

    def add(self, story: Story, examples: int) -> None:
        """An example failed, the ``examples``-th of its run."""
        if story.error is None:
            return
        origin = origin_of(story.error)
        self.latest = story
        known = self._by_origin.setdefault(origin, Failure(origin, story, story, examples))
        known.last = story

    def forget(self, error: BaseException) -> None:
        """This bug is not this run's: no share of the examples is spent on it."""
        gone = self._by_origin.pop(origin_of(error), None)
        if gone is not None and self.latest is gone.last:
            self.latest = next((each.last for each in self._by_origin.values()), None)

    def adopt(self, failure: Failure) -> None:
        """Know of a bug that another search of the same run met."""
        self._by_origin.setdefault(failure.origin, failure)

    def last_program(self) -> Program | None:
        """The program of the latest failure, else of the example that ran last."""
        if self.latest is not None:
            return self.latest.program
        return None if self.example is None else self.example()

    def all(self) -> list[Failure]:
        """Each bug, in the order of their discovery."""
        return list(self._by_origin.values())

    def of(self, error: BaseException) -> Failure | None:
        """What is known about the bug that ``error`` is."""
        return self._by_origin.get(origin_of(error))
