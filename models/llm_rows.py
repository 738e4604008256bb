"""What may become of a row, given the faults that hit its attempts.

An attempt without a fault succeeds. A fault's name says what its attempt may come to; a row
goes on after a retryable attempt, ends at any other, and a row whose attempts were all
retryable ended either because its transient failures were used up or at its deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

__all__ = ["FATES", "Fate", "Outcome", "lawful_outcomes", "outcome_of_reason", "status_fate"]

Fate = Literal["ok", "capacity", "transient", "permanent"]
Outcome = Literal["ok", "permanent", "attempts_exhausted", "retry_timeout", "closed"]

# A slow or stalled answer may still arrive before the client's own time-out, and a stall may be
# healed; what the link does to an attempt without a fault is the fate "link".
FATES: Mapping[str | None, frozenset[Fate]] = {
    None: frozenset({"ok"}),
    "link": frozenset({"ok", "transient"}),
    "status_429": frozenset({"capacity"}),
    "status_500": frozenset({"transient"}),
    "status_503": frozenset({"capacity"}),
    "status_529": frozenset({"capacity"}),
    "slow_response": frozenset({"ok", "transient"}),
    "stall_before_headers": frozenset({"ok", "transient"}),
    "stall_mid_body": frozenset({"ok", "transient"}),
    "reset_before_headers": frozenset({"transient"}),
    "reset_mid_body": frozenset({"transient"}),
    "close_before_headers": frozenset({"transient"}),
    "close_mid_body": frozenset({"transient"}),
    "truncated_json": frozenset({"permanent"}),
    "invalid_json": frozenset({"permanent"}),
}


def status_fate(status: int) -> Fate:
    """What a reply with ``status`` and a good body means for its attempt."""
    if 200 <= status <= 299:
        return "ok"
    if status in (429, 503, 529):
        return "capacity"
    return "transient" if status in (408, 409, 425) or 500 <= status <= 599 else "permanent"


def lawful_outcomes(faults: Sequence[str | None], max_failures: int) -> frozenset[Outcome]:
    """The outcomes a row may have whose attempts, in order, were hit by ``faults``.

    ``max_failures`` transient failures end a row. An empty answer means that this series of
    attempts is itself unlawful: one followed an attempt after which none may follow. A row
    without any attempt never got a slot before its deadline.
    """
    if not faults:
        return frozenset({"retry_timeout"})
    counts = {0}  # how many transient failures the row may have had so far
    for fault in faults[:-1]:
        counts = {count for count in _counts_after(counts, fault) if count < max_failures}
    if not counts:
        return frozenset()
    fates = FATES[faults[-1]]
    outcomes: set[Outcome] = set()
    if "ok" in fates:
        outcomes.add("ok")
    if "permanent" in fates:
        outcomes.add("permanent")
    if "capacity" in fates:
        outcomes.add("retry_timeout")
    if "transient" in fates:
        outcomes |= {_outcome_after_failures(count + 1, max_failures) for count in counts}
    return frozenset(outcomes)


def outcome_of_reason(reason: str | None) -> Outcome:
    """The outcome that a row's error names by its ``reason``; None is a good row."""
    named: Mapping[str | None, Outcome] = {
        None: "ok",
        "attempts_exhausted": "attempts_exhausted",
        "retry_timeout": "retry_timeout",
        "closed": "closed",
        "executor_closed": "closed",
    }
    return named.get(reason, "permanent")


def _counts_after(counts: set[int], fault: str | None) -> set[int]:
    fates = FATES[fault]
    stayed = counts if "capacity" in fates else set()
    return stayed | ({count + 1 for count in counts} if "transient" in fates else set())


def _outcome_after_failures(count: int, max_failures: int) -> Outcome:
    return "attempts_exhausted" if count >= max_failures else "retry_timeout"
