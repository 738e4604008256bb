"""What may become of a row, given the faults that hit its attempts.

An attempt without a fault succeeds. A fault's name says what its attempt may come to; a row
goes on after a retryable attempt, ends at any other, and a row whose attempts were all
retryable ended either because its transient failures were used up or at its deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from models.llm_fates import FATES, Fate, fate_of

__all__ = ["Outcome", "lawful_outcomes", "outcome_of_reason"]

Outcome = Literal["ok", "permanent", "attempts_exhausted", "retry_timeout", "closed"]


def lawful_outcomes(
    faults: Sequence[str | None],
    max_failures: int,
    fates_of: Mapping[str | None, frozenset[Fate]] = FATES,
) -> frozenset[Outcome]:
    """The outcomes a row may have whose attempts, in order, were hit by ``faults``.

    ``max_failures`` transient failures end a row. An empty answer means that this series of
    attempts is itself unlawful: one followed an attempt after which none may follow. A row
    without any attempt never got a slot before its deadline.
    """
    if not faults:
        return frozenset({"retry_timeout"})
    counts = {0}  # how many transient failures the row may have had so far
    for fault in faults[:-1]:
        counts = {
            count
            for count in _counts_after(counts, fate_of(fault, fates_of))
            if count < max_failures
        }
    if not counts:
        return frozenset()
    fates = fate_of(faults[-1], fates_of)
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


def _counts_after(counts: set[int], fates: frozenset[Fate]) -> set[int]:
    stayed = counts if "capacity" in fates else set()
    return stayed | ({count + 1 for count in counts} if "transient" in fates else set())


def _outcome_after_failures(count: int, max_failures: int) -> Outcome:
    return "attempts_exhausted" if count >= max_failures else "retry_timeout"
