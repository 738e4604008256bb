"""A mistake in the test: told at once, with its line and a short way to it, and never kept."""

from __future__ import annotations

import inspect
from typing import Any

from chaoscheck.stateful.failures import Failure, origin_of
from chaoscheck.stateful.programs.minimal import Minimal, minimal_of
from chaoscheck.stateful.shrinking.domain_pass import Budget

__all__ = ["cheap_story_of", "note_of_mistake"]

# A mistake is corrected, not studied: most are a step or two away, which so many replays find.
# They take 0.1 s; in a process with a large heap one collection of garbage alone takes a second.
_CHEAP = Budget(replays=150, seconds=5.0)


def note_of_mistake(error: BaseException, machine: Any) -> str:
    """Where the test is wrong, in a line for its author: the line that raised, else the class."""
    origin = origin_of(error)
    place = _place_of(machine) if origin.is_ours else f"{origin.file}:{origin.line}"
    return f"{place}: a mistake in the test, not a failure of its subject: it is not kept."


def _place_of(machine: Any) -> str:
    try:
        return f"{inspect.getsourcefile(machine)}:{inspect.findsource(machine)[1] + 1}"
    except (OSError, TypeError):
        return str(machine.__qualname__)  # its source is nowhere


def cheap_story_of(machine: Any, failure: Failure | None) -> Minimal | None:
    """A short story that leads to the mistake; None where none replays."""
    return None if failure is None else minimal_of(machine, failure, budget=_CHEAP)
