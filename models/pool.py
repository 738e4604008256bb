"""What the log of a pool's attempts must look like: pure judgement, attempt by attempt.

Times are seconds of the world's clock. A query is ready when it is submitted, and again when
its backoff has passed. Work conservation is the exact form of "the slot is free while a query
backs off": a ready query may wait only while the pool is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from models.aimd import AimdRules, aimd_step

__all__ = ["Attempt", "PoolRules", "breaches", "capacity_delays_s", "lawful_delay_s", "lawful_end"]

AttemptOutcome = Literal["ok", "capacity", "transient", "permanent", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """The promises of one pool: sizes, and limits in seconds."""

    pool_size: int
    max_seconds: float
    retry_after_max_s: float = 120.0
    max_failures: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: of which query, its number from 1, its times, and the delay chosen after."""

    query: object
    number: int
    submitted_s: float
    started_s: float
    ended_s: float
    outcome: AttemptOutcome
    retry_after_s: float | None = None
    own_delay_s: float | None = None
    delay_s: float | None = None


def lawful_delay_s(own_s: float, retry_after_s: float | None, rules: PoolRules) -> float:
    """Retry-After is a lower bound, unless it is missing, negative, not a number or absurd."""
    if retry_after_s is None or not 0 <= retry_after_s <= rules.retry_after_max_s:
        return own_s
    return max(own_s, retry_after_s)


def capacity_delays_s(log: Sequence[Attempt], rules: AimdRules) -> list[float | None]:
    """Per attempt, in order of ending: the own delay after a capacity error, else None."""
    delay_ms, delays = rules.min_ms, list[float | None]()
    for attempt in log:
        if attempt.outcome in ("ok", "capacity"):
            succeeded = attempt.outcome == "ok"
            delay_ms = aimd_step(delay_ms, "success" if succeeded else "capacity_error", rules)
        delays.append(delay_ms / 1000 if attempt.outcome == "capacity" else None)
    return delays


def lawful_end(attempts: Sequence[Attempt], rules: PoolRules) -> tuple[str, float] | None:
    """How and when a query with exactly these attempts ended; None: it has not ended by them.

    The ends are *ok*, *permanent*, *attempts_exhausted*, *retry_timeout* and *abandoned*.
    """
    last = attempts[-1]
    if last.outcome in ("ok", "permanent", "abandoned"):
        return last.outcome, last.ended_s
    failures = sum(attempt.outcome == "transient" for attempt in attempts)
    if last.outcome == "transient" and failures >= rules.max_failures:
        return "attempts_exhausted", last.ended_s
    deadline_s = last.submitted_s + rules.max_seconds
    if last.ended_s + (last.delay_s or 0.0) >= deadline_s:
        return "retry_timeout", max(deadline_s, last.ended_s)
    return None


def breaches(log: Sequence[Attempt], rules: PoolRules) -> list[str]:
    """Every law that the ``log`` of one pool breaks, as a sentence; none is a lawful log."""
    found = [sentence for attempt in log for sentence in _alone(attempt, rules)]
    for attempts in _by_query(log):
        found += _in_sequence(attempts, rules)
        ready = [attempts[0].submitted_s]
        ready += [earlier.ended_s + (earlier.delay_s or 0.0) for earlier in attempts[:-1]]
        for ready_s, attempt in zip(ready, attempts, strict=True):
            if any(running < rules.pool_size for running in _running(log, ready_s, attempt)):
                found.append(f"{attempt} waited from {ready_s} beside a free slot")
    for attempt in log:
        running = sum(each.started_s <= attempt.started_s < each.ended_s for each in log)
        if running > rules.pool_size:
            found.append(f"{running} in flight at {attempt.started_s}, over {rules.pool_size}")
    return found


def _alone(attempt: Attempt, rules: PoolRules) -> Iterator[str]:
    if attempt.started_s >= attempt.submitted_s + rules.max_seconds:
        yield f"{attempt} started at or after its deadline"
    if attempt.own_delay_s is not None:
        expected = lawful_delay_s(attempt.own_delay_s, attempt.retry_after_s, rules)
        if attempt.delay_s != expected:
            yield f"{attempt} should be followed by a delay of {expected}"


def _in_sequence(attempts: Sequence[Attempt], rules: PoolRules) -> Iterator[str]:
    if [attempt.number for attempt in attempts] != list(range(1, len(attempts) + 1)):
        yield f"the attempts of {attempts[0].query!r} are not numbered from 1 without a gap"
    for count, (earlier, later) in enumerate(pairwise(attempts), start=1):
        end = lawful_end(attempts[:count], rules)
        if end is not None:
            yield f"{later} follows the end of its query: {end}"
        if later.started_s < earlier.ended_s + (earlier.delay_s or 0.0):
            yield f"{later} started before the delay after {earlier} had passed"


def _by_query(log: Sequence[Attempt]) -> list[list[Attempt]]:
    queries: dict[object, list[Attempt]] = {}
    for attempt in sorted(log, key=lambda attempt: attempt.started_s):
        queries.setdefault(attempt.query, []).append(attempt)
    return list(queries.values())


def _running(log: Sequence[Attempt], ready_s: float, waited: Attempt) -> Iterator[int]:
    """How many attempts ran, in each stretch of time while ``waited`` was ready and waited."""
    changes = {ready_s, waited.started_s}
    for attempt in log:
        changes |= {attempt.started_s, attempt.ended_s}
    inside = sorted(change for change in changes if ready_s <= change <= waited.started_s)
    for begin_s, end_s in pairwise(inside):
        if end_s - begin_s > 1e-9 * (1 + abs(end_s)):
            middle_s = (begin_s + end_s) / 2
            yield sum(each.started_s <= middle_s < each.ended_s for each in log)
