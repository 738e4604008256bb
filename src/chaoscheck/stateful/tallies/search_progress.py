"""How far a search has come, as one line of text, now and then."""

from __future__ import annotations

from collections.abc import Callable

from chaoscheck.stateful.tallies.run_tally import RunTally
from chaoscheck.world.ambient import process_seconds

__all__ = ["SearchProgress", "search_line"]

# CPU seconds: before the first line, since most searches are over by then, and between two lines,
# which is as often as a reader can take them in.
_FIRST_S = 1.0
_EVERY_S = 0.25
_MISSING_MAX = 3  # names told of the faults that are missing


class SearchProgress:
    """Tells ``tell`` a line of a search of ``examples_max`` examples; called after each of them."""

    def __init__(self, machine: str, examples_max: int, tell: Callable[[str], object]) -> None:
        self._machine = machine
        self._examples_max = examples_max
        self._tell = tell
        self._since = 0
        self._next_s = process_seconds() + _FIRST_S

    def __call__(self, tally: RunTally) -> None:
        """One more example is over."""
        self._since += 1
        now_s = process_seconds()
        if now_s >= self._next_s:
            self._next_s = now_s + _EVERY_S
            self._tell(search_line(self._machine, self._since, self._examples_max, tally))


def search_line(machine: str, examples: int, examples_max: int, tally: RunTally) -> str:
    """Examples done, failures, and the faults that are still to be exercised."""
    parts = [f"{machine}: {examples} of {examples_max} examples"]
    if tally.failures:
        parts.append(f"{tally.failures} failed")
    missing = tally.missing()
    if missing:
        more = "" if len(missing) <= _MISSING_MAX else f" and {len(missing) - _MISSING_MAX} more"
        parts.append(f"still missing {', '.join(missing[:_MISSING_MAX])}{more}")
    return ", ".join(parts)
