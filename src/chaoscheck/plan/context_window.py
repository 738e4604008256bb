"""Context windows: how many tokens a model takes, prompt and answer together."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import shown
from chaoscheck.plan.fault_kinds.parameters import COUNT_MAX

__all__ = [
    "PATTERN_LENGTH_MAX",
    "WINDOWS_MAX",
    "ContextWindows",
    "as_context_windows",
    "check_context_windows",
    "window_of",
]

#: (pattern of model names, tokens) pairs; the first pattern that fits a model counts.
ContextWindows = tuple[tuple[str, int], ...]

PATTERN_LENGTH_MAX = 200  # characters, of a pattern and of the name that is held against it
WINDOWS_MAX = 100  # patterns, each of which is tried


def as_context_windows(given: int | Mapping[str, int] | ContextWindows) -> ContextWindows:
    """A window for all models, or one for each pattern, as pairs."""
    if isinstance(given, Mapping):
        return tuple(given.items())
    return given if isinstance(given, tuple) else (("*", given),)


def check_context_windows(windows: ContextWindows) -> None:
    """Refuse windows that are no pairs of a pattern and 1 to 1 000 000 000 tokens (PlanError)."""
    if not isinstance(windows, tuple) or len(windows) > WINDOWS_MAX:
        raise PlanError(
            f"context_window must be at most {WINDOWS_MAX} pairs of a pattern and tokens; "
            "FaultPlan.of takes other forms"
        )
    for pattern, tokens in windows:
        if not isinstance(pattern, str) or not 1 <= len(pattern) <= PATTERN_LENGTH_MAX:
            raise PlanError(
                f"context_window: a pattern must have 1 to {PATTERN_LENGTH_MAX} characters, "
                f"got {shown(pattern)}"
            )
        legal = isinstance(tokens, int) and not isinstance(tokens, bool)
        if not legal or not 1 <= tokens <= COUNT_MAX:
            raise PlanError(
                f"context_window of {pattern!r}: must be an integer in [1, {COUNT_MAX}] tokens, "
                f"got {shown(tokens)}"
            )


def window_of(windows: ContextWindows, model: str) -> int | None:
    """The tokens that ``model`` takes; None if no pattern fits."""
    name = model[:PATTERN_LENGTH_MAX]
    for pattern, tokens in windows:
        if fnmatchcase(name, pattern):
            return tokens
    return None
