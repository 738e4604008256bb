"""What each attempt of a row may come to, by what the server and the network have on record.

An attempt may fail only by a fault that met its own request, by a disturbance of the link that
it overlaps in time, or at its row's deadline, unsent. A disturbance may cost it its reply: then
it is transient. What the link never does is refuse a good request or spoil a whole reply, so a
disturbed attempt is judged as well: of an exempt one nothing would be known.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.llm_fates import FATES, Fate, fate_of
from models.pool import Attempt

__all__ = ["Disturbance", "Request", "Witnessed", "attempt_breaches", "lawful_fates", "witnessed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a row as the server saw it: when it was read, and its fault, if any."""

    received_s: float
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """Something of the link that an attempt may feel between two instants."""

    name: str
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """An attempt, the faults of the requests that came during it, and what disturbed it."""

    attempt: Attempt
    faults: tuple[str | None, ...]
    disturbed_by: tuple[str, ...]

    @property
    def unseen(self) -> bool:
        """Whether neither the server nor the network knows of it."""
        return not self.faults and not self.disturbed_by


def witnessed(
    attempts: Sequence[Attempt],
    requests: Sequence[Request],
    disturbances: Sequence[Disturbance],
) -> list[Witnessed]:
    """The ``attempts`` of one row in order, each with what is on record of it.

    A request belongs to the newest attempt that had started when it was read: it may be read
    after its attempt was given up, by the link's latency, and the next one starts later. One
    that a cut held back is read when the cut is healed, which disturbs that attempt as well.
    """
    starts = [attempt.started_s for attempt in attempts]
    faults: list[list[str | None]] = [[] for _ in attempts]
    for request in requests:
        place = bisect_right(starts, request.received_s) - 1
        if place >= 0:
            faults[place].append(request.fault)
    return [
        Witnessed(
            attempt=attempt,
            faults=tuple(met),
            disturbed_by=tuple(
                each.name
                for each in disturbances
                if each.from_s <= attempt.ended_s and attempt.started_s <= each.until_s
            ),
        )
        for attempt, met in zip(attempts, faults, strict=True)
    ]


def lawful_fates(
    each: Witnessed, deadline_s: float, fates_of: Mapping[str | None, frozenset[Fate]] = FATES
) -> frozenset[Fate]:
    """What the attempt may have come to, whose row's deadline is at ``deadline_s``."""
    fates = frozenset[Fate]().union(*(fate_of(fault, fates_of) for fault in each.faults))
    if each.disturbed_by or (each.unseen and each.attempt.ended_s >= deadline_s):
        fates |= {"transient"}
    return fates


def attempt_breaches(
    row: Sequence[Witnessed],
    max_seconds: float,
    fates_of: Mapping[str | None, frozenset[Fate]] = FATES,
) -> Iterator[str]:
    """A sentence for each attempt of a row that came to what nothing on record explains.

    An abandoned attempt came to nothing: its row was given up.
    """
    for each in row:
        attempt = each.attempt
        lawful = lawful_fates(each, attempt.submitted_s + max_seconds, fates_of)
        if attempt.outcome != "abandoned" and attempt.outcome not in lawful:
            yield (
                f"attempt {attempt.number} of {attempt.query} is {attempt.outcome}; it met "
                f"{list(each.faults)} and {list(each.disturbed_by)}, which may be {sorted(lawful)}"
            )
