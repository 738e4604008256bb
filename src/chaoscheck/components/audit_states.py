"""The words of the audit and the moves between them, as tables.

A node state is *open* once its row is recorded, *pending* once a call for it may have left, and
ends *completed* or *failed*. A call is *pending* from its intent on and ends *ok* (a whole reply
came, whatever its status), *error* (the transport failed) or *unknown* (nobody was left to see).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = [
    "CALL_MOVES",
    "FAILURE_KINDS",
    "OUTCOMES",
    "RUN_STATUSES",
    "STATE_MOVES",
    "CallStatus",
    "Outcome",
    "RunEnd",
    "StateStatus",
    "sources_of",
]

StateStatus = Literal["open", "pending", "completed", "failed"]
CallStatus = Literal["pending", "ok", "error", "unknown"]
Outcome = Literal["completed", "failed", "evicted"]
RunEnd = Literal["completed", "failed"]

STATE_MOVES: Mapping[str, frozenset[str]] = {
    "open": frozenset({"pending", "completed", "failed"}),
    "pending": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
}
CALL_MOVES: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"ok", "error", "unknown"}),
    "ok": frozenset(),
    "error": frozenset(),
    "unknown": frozenset(),
}
OUTCOMES: tuple[Outcome, ...] = ("completed", "failed", "evicted")
RUN_STATUSES = ("running", "completed", "failed")
FAILURE_KINDS = ("capacity", "transient", "permanent")


def sources_of(moves: Mapping[str, frozenset[str]], target: str) -> tuple[str, ...]:
    """The statuses from which ``target`` may be reached in one move, sorted."""
    return tuple(sorted(source for source, targets in moves.items() if target in targets))
