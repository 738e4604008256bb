"""A mistake in the test: told at once, with its line and a short way to it, and never kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaoscheck.stateful.failures import Failure, origin_of
from chaoscheck.stateful.programs.minimal import Minimal, minimal_of
from chaoscheck.stateful.shrinking.domain_pass import Budget

__all__ = ["cheap_story_of", "note_of_mistake"]

# A mistake is corrected, not studied: most are a step or two away, which so many replays find.
_CHEAP = Budget(replays=150, seconds=1.0)

_CHAOSCHECK = str(Path(__file__).parents[1])


def note_of_mistake(error: BaseException) -> str:
    """Where the test is wrong, in a line for its author."""
    origin = origin_of(error)
    ours = origin.file.startswith(_CHAOSCHECK)
    place = f"{origin.file}:{origin.line}: " if origin.file and not ours else ""
    return f"{place}a mistake in the test, not a failure of its subject: it is not kept."


def cheap_story_of(machine: Any, failure: Failure | None) -> Minimal | None:
    """A short story that leads to the mistake; None where none replays."""
    return None if failure is None else minimal_of(machine, failure, budget=_CHEAP)
