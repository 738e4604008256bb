"""Exactly once: every job that was submitted had its effect one time, and nothing else had any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError

__all__ = ["exactly_once"]


def exactly_once(
    submitted: Iterable[Hashable],
    effects: Iterable[Hashable],
    *,
    unknown: Iterable[Hashable] = (),
    without_effect: Iterable[Hashable] = (),
) -> Verdict:
    """Judge ``effects``, one identifier for each time something took effect.

    Of the ``submitted``, those in ``unknown`` may have had their effect or not (once at most),
    those in ``without_effect`` (refused, cancelled in time) must have had none. PlanError if a
    submitted identifier comes twice, or one of the exceptions was never submitted.
    """
    jobs = Counter(submitted)
    doubled = [job for job, count in jobs.items() if count > 1]
    if doubled:
        raise PlanError(f"submitted must name each job once, got twice: {doubled[:5]}")
    either, never = dict.fromkeys(unknown), dict.fromkeys(without_effect)
    strangers = [job for job in (*either, *never) if job not in jobs]
    if strangers:
        raise PlanError(f"only submitted jobs may be excepted, got {strangers[:5]}")
    counts = Counter(effects)
    breaches = [
        *_named(
            "lost", [job for job in jobs if not counts[job] and job not in {**either, **never}]
        ),
        *_named("twice", [job for job, count in counts.items() if count > 1 and job in jobs]),
        *_named("invented", [job for job in counts if job not in jobs]),
        *_named("effect_without_success", [job for job in never if counts[job]]),
    ]
    return Verdict.of(tuple(breaches))


_WHAT = {
    "lost": "never took effect",
    "twice": "took effect more than once",
    "invented": "took effect but was never submitted",
    "effect_without_success": "took effect although it must not have",
}
_SHOWN_MAX = 5


def _named(law: str, jobs: list[Hashable]) -> list[Breach]:
    if not jobs:
        return []
    shown = ", ".join(map(repr, jobs[:_SHOWN_MAX]))
    more = f" and {len(jobs) - _SHOWN_MAX} more" if len(jobs) > _SHOWN_MAX else ""
    return [Breach(law=law, what=f"{shown}{more} {_WHAT[law]}", evidence=tuple(jobs))]
