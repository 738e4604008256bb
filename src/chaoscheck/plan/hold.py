"""Hold: one deviation of a schedule from first in, first out, named by the tasks it concerns."""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.errors import PlanError

__all__ = ["SOURCES", "Hold"]

# What comes from outside for a task, and may be late in its place: one that it set, or waits for.
SOURCES = ("timer", "socket", "worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """``task``, having run ``at`` stretches, runs no further before ``until`` has run ``ran``.

    A *stretch* is what a task does between two checkpoints; at 0 it has not started. Tasks are
    named by where they come from, ``acquire@7`` being what step 7 started, so that a hold means
    the same when unrelated steps are taken away. A hold never makes anybody wait for nothing:
    it ends when ``until`` ends, or when nobody but those who are held could run.

    A ``late`` start belongs to no batch before its own: the batch of the others ends without it,
    and it joins the one in which it starts. Any other held task belongs to the batch that was
    runnable with it, so that ``late`` says nothing unless ``at`` is 0.

    With a ``source``, one of ``SOURCES``, not the task is held but what comes for it from outside:
    its ``at``-th timer (the first is 1), or the socket or worker thread for which it waits at its
    ``at``-th checkpoint. ``until`` the task itself means that it stops waiting before that comes.
    """

    task: str
    at: int
    until: str
    ran: int
    late: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if not self.task or not self.until:
            raise PlanError(f"a hold names two tasks, got {self.task!r} and {self.until!r}")
        if not self.at >= 0 or not self.ran >= 1:
            raise PlanError(f"at must be >= 0 and ran >= 1, got {self.at} and {self.ran}")
        if self.source and self.source not in SOURCES:
            raise PlanError(f"source must be one of {', '.join(SOURCES)}, got {self.source!r}")

    def __str__(self) -> str:
        held = self._held()
        if self.source not in ("", "timer") and self.task == self.until:
            return f"{held} in time"
        passed = (
            "has started" if self.ran == 1 else f"has passed its {nth(self.ran - 1)} checkpoint"
        )
        return f"{held} until {self.until} {passed}"

    def _held(self) -> str:
        place = f"at its {nth(self.at)} checkpoint"
        if self.source == "timer":
            return f"{self.task}'s {nth(self.at)} timer does not fire"
        if self.source == "socket":
            return f"the socket for which {self.task} waits {place} is not ready"
        if self.source == "worker":
            return f"the worker thread for which {self.task} waits {place} does not end"
        return f"{self.task} does not start" if self.at == 0 else f"{self.task} waits {place}"


def nth(number: int) -> str:
    """1st, 2nd, 3rd, 4th …"""
    teens = 10 <= number % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
