"""The bugs of one run, told apart by the type of the error and the line that raised it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chaoscheck.report.story import Story
from chaoscheck.stateful.failures import Failures, Origin, origin_of
from tests.unit.stateful.stories import story


def raised(action: Callable[[], object]) -> Exception:
    """What ``action`` raises."""
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def one() -> None:
    """A bug."""
    raise KeyError("one")


def two() -> None:
    """Another bug."""
    raise KeyError("two")


def grouped() -> None:
    """A bug in a group in a group."""
    raise ExceptionGroup("outer", [ExceptionGroup("inner", [raised(one), raised(two)])])


def chained() -> None:
    """An error of the standard library that was caused by a bug."""
    raise raised(lambda: json.loads("")) from raised(one)


def here(function: Callable[[], object]) -> int:
    """The line after the docstring of ``function``."""
    return function.__code__.co_firstlineno + 2


def test_the_origin_is_the_line_of_my_own_code() -> None:
    """Not the frame of the library that my code called, and not that of who called me."""
    origin = origin_of(raised(one))

    assert Origin("KeyError", str(Path(__file__)), here(one)) == origin
    assert f"KeyError at test_failures.py:{here(one)}" == str(origin)


def test_an_error_of_a_library_is_at_my_line_that_called_it() -> None:
    """A JSON error in two places of mine is two bugs."""

    def parse() -> None:
        """Calls the standard library."""
        json.loads("")

    def run() -> None:
        """Calls trio."""
        trio.run(trio.sleep, -1)

    assert ("JSONDecodeError", here(parse)) == _place(raised(parse))
    assert ("ValueError", here(run)) == _place(raised(run))


def _place(error: BaseException) -> tuple[str, int]:
    origin = origin_of(error)
    return origin.kind, origin.line


def test_a_group_is_the_first_error_in_it() -> None:
    """Nurseries wrap; the bug is inside."""
    assert origin_of(raised(one)) == origin_of(raised(grouped))


def test_an_error_that_no_code_of_mine_raised_is_at_the_line_of_its_cause() -> None:
    """What the engine says about an operation of mine is told apart by where that failed."""
    error = RuntimeError("told by the engine")
    error.__cause__ = raised(one)

    assert ("RuntimeError", here(one)) == _place(error)


def test_an_error_that_my_code_raised_is_there_and_not_at_its_cause() -> None:
    """Raising from is raising here."""
    assert here(chained) != here(one)
    assert ("JSONDecodeError", here(chained)) == _place(raised(chained))


def test_an_error_that_was_never_raised_has_no_place() -> None:
    """It is still told apart by its type."""
    assert Origin("KeyError", "", 0) == origin_of(KeyError("never"))


def failed(error: BaseException, blob: str) -> Story:
    """The story of an example that failed."""
    told = Story("Machine")
    told.failed(error, blob, story(blob))
    return told


def test_each_bug_keeps_its_first_story_and_its_last() -> None:
    """The first is as it was found, the last as Hypothesis shrank it; others do not interfere."""
    failures = Failures()
    failures.add(failed(raised(one), "a"), 3)
    failures.add(failed(raised(two), "b"), 4)
    failures.add(failed(raised(one), "c"), 5)

    first, second = failures.of(raised(one)), failures.of(raised(two))

    assert first is not None
    assert second is not None
    assert ("a", "c", 3) == (first.first.blob, first.last.blob, first.examples)
    assert ("b", "b", 4) == (second.first.blob, second.last.blob, second.examples)
    assert failures.of(OSError("unknown")) is None


@pytest.mark.parametrize("met", [True, False], ids=["after a failure", "without one"])
def test_the_last_program_is_that_of_the_failure_else_of_the_last_example(met: bool) -> None:
    """Where Hypothesis says flaky, there may be no failure on record."""
    failures = Failures()
    assert failures.last_program() is None
    failures.example = lambda: story("last")
    if met:
        failures.add(failed(raised(one), "failed"), 1)

    assert story("failed" if met else "last") == failures.last_program()
    failures.clear()
    assert failures.last_program() is None


def test_an_example_that_passed_is_no_bug() -> None:
    """Nothing is kept of it."""
    failures = Failures()
    failures.add(Story("Machine"), 1)

    assert failures.latest is None
