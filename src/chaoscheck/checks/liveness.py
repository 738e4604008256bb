"""Bounded liveness: every request ends within a bound, counted from the heal if that is later."""

from __future__ import annotations

import math
from collections.abc import Iterable

from chaoscheck.checks.interleaving import call_text
from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError
from chaoscheck.history.operations import OperationRecord

__all__ = ["liveness"]


def liveness(
    requests: Iterable[OperationRecord],
    *,
    bound_s: float,
    until_s: float,
    healed_at_s: float = 0.0,
) -> Verdict:
    """Each request must end at most ``bound_s`` after max(its invocation, ``healed_at_s``).

    ``until_s`` is the time up to which was watched: a request that has not ended and whose bound
    lies beyond it is UNKNOWN. Any end counts, also a failure. All in virtual seconds; a due time
    is stretched by 1e-9 of itself for rounding. PlanError for times that are not finite, a
    negative bound, or a request that ended after ``until_s``.
    """
    for name, value, least in (("bound_s", bound_s, 0.0), ("until_s", until_s, -math.inf)):
        if not (math.isfinite(value) and value >= least):
            raise PlanError(f"{name} must be finite and at least {least:g}, got {value}")
    if not math.isfinite(healed_at_s):
        raise PlanError(f"healed_at_s must be finite, got {healed_at_s}")
    late: list[Breach] = []
    undecided: list[Breach] = []
    for request in requests:
        due_s = max(request.invoked_at_s, healed_at_s) + bound_s
        due_s += 1e-9 * (1 + abs(due_s))
        ended_s = request.completed_at_s
        if request.ended and ended_s is None:
            raise PlanError(f"operation {request.number} ended, so completed_at_s must say when")
        if ended_s is not None and ended_s > until_s:
            raise PlanError(
                f"until_s must not be before the end of operation {request.number} at "
                f"{ended_s:g} s, got {until_s:g}"
            )
        told = f"{call_text(request)} of {request.client}, asked at {request.invoked_at_s:g} s,"
        if ended_s is not None and ended_s > due_s:
            late.append(_breach(request, f"{told} ended at {ended_s:g} s, due at {due_s:g} s"))
        elif ended_s is None and until_s > due_s:
            late.append(_breach(request, f"{told} has not ended at {until_s:g} s, due {due_s:g} s"))
        elif ended_s is None:
            undecided.append(
                _breach(request, f"{told} is due at {due_s:g} s, watched only to {until_s:g} s")
            )
    return Verdict.of(tuple(late), tuple(undecided))


def _breach(request: OperationRecord, what: str) -> Breach:
    return Breach(law="liveness", what=what, evidence=(request,))
