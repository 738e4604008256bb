"""What an audit must hold after each step: rows, their tries, the calls of each try, outcomes.

A pure step function: a book and a step give the next book, or None where the step contradicts
the book and must be refused. A crash changes nothing that is written; recovery then calls what
is pending *unknown* and what is unfinished *failed*, and guesses nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

__all__ = [
    "BeginCall",
    "BeginRow",
    "Book",
    "EndCall",
    "EndRow",
    "Recover",
    "ResumeRow",
    "Step",
    "Try",
    "Written",
    "step",
]

OUTCOME_STATES: Mapping[str, str] = {"completed": "completed", "failed": "failed"} | {
    "evicted": "failed"
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One state of a row: its status, and the status of each of its calls, in order."""

    status: str = "open"
    calls: tuple[str, ...] = ()

    @property
    def unfinished(self) -> bool:
        """Whether it may still change."""
        return self.status in ("open", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A row in the book: its tries, and its terminal outcome, None while it has none."""

    tries: tuple[Try, ...] = (Try(),)
    outcome: str | None = None


Book: TypeAlias = tuple[Written, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginRow:
    """The next row is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRow:
    """A row without an outcome, none of whose tries is under way, is tried again."""

    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginCall:
    """A call of the row's newest try is about to leave."""

    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCall:
    """A call of the row's newest try ended."""

    row: int
    call: int
    status: Literal["ok", "error", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRow:
    """The row came to its terminal outcome."""

    row: int
    outcome: Literal["completed", "failed", "evicted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """The process died, and the audit was opened again."""


Step: TypeAlias = BeginRow | ResumeRow | BeginCall | EndCall | EndRow | Recover


def step(book: Book, taken: Step) -> Book | None:
    """The book after ``taken``; None if it must be refused."""
    if isinstance(taken, BeginRow):
        return (*book, Written())
    if isinstance(taken, Recover):
        return tuple(replace(row, tries=tuple(map(_recovered, row.tries))) for row in book)
    if taken.row >= len(book):
        return None
    row = _row_after(book[taken.row], taken)
    return None if row is None else (*book[: taken.row], row, *book[taken.row + 1 :])


def _row_after(row: Written, taken: ResumeRow | BeginCall | EndCall | EndRow) -> Written | None:
    newest = row.tries[-1]
    if isinstance(taken, ResumeRow):
        if row.outcome is not None or newest.unfinished:
            return None
        return replace(row, tries=(*row.tries, Try()))
    if isinstance(taken, EndCall):
        calls = list(newest.calls)
        if taken.call >= len(calls) or calls[taken.call] != "pending":
            return None
        calls[taken.call] = taken.status
        return _with_newest(row, replace(newest, calls=tuple(calls)))
    if not newest.unfinished:
        return None
    if isinstance(taken, BeginCall):
        return _with_newest(row, Try(status="pending", calls=(*newest.calls, "pending")))
    ended = replace(newest, status=OUTCOME_STATES[taken.outcome])
    return replace(_with_newest(row, ended), outcome=taken.outcome)


def _with_newest(row: Written, newest: Try) -> Written:
    return replace(row, tries=(*row.tries[:-1], newest))


def _recovered(one: Try) -> Try:
    calls = tuple("unknown" if status == "pending" else status for status in one.calls)
    return Try(status="failed" if one.unfinished else one.status, calls=calls)
