"""The model of the audit refuses what the audit must refuse, and never guesses."""

from __future__ import annotations

import pytest

from models.audit import (
    BeginCall,
    BeginRow,
    Book,
    EndCall,
    EndRow,
    Recover,
    ResumeRow,
    Step,
    Try,
    Written,
    step,
)


def book_after(*steps: Step) -> Book:
    """The book after lawful ``steps``."""
    book: Book = ()
    for one in steps:
        after = step(book, one)
        assert after is not None, f"{one} is lawful here"
        book = after
    return book


CALLED = (BeginRow(), BeginCall(row=0))


def test_a_row_goes_its_way() -> None:
    """Open, pending with its first call, and at its end completed with one outcome."""
    assert (Written(tries=(Try(),)),) == book_after(BeginRow())
    done = book_after(
        *CALLED, EndCall(row=0, call=0, status="ok"), EndRow(row=0, outcome="completed")
    )
    assert (Written(tries=(Try(status="completed", calls=("ok",)),), outcome="completed"),) == done


def test_a_crash_leaves_unknown_calls_and_failed_tries() -> None:
    """What was pending is unknown; the next try stands beside the interrupted one."""
    ended = (EndCall(row=0, call=0, status="error"), BeginCall(row=0))
    recovered = book_after(*CALLED, *ended, Recover(), Recover(), ResumeRow(row=0))

    interrupted = Try(status="failed", calls=("error", "unknown"))
    assert (Written(tries=(interrupted, Try())),) == recovered


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ((), BeginCall(row=0)),
        (CALLED, ResumeRow(row=0)),
        (CALLED, EndCall(row=0, call=1, status="ok")),
        ((*CALLED, EndCall(row=0, call=0, status="ok")), EndCall(row=0, call=0, status="ok")),
        ((*CALLED, EndRow(row=0, outcome="evicted")), EndRow(row=0, outcome="completed")),
        ((*CALLED, EndRow(row=0, outcome="evicted")), BeginCall(row=0)),
        ((*CALLED, EndRow(row=0, outcome="failed"), Recover()), ResumeRow(row=0)),
        ((*CALLED, Recover()), BeginCall(row=0)),
        ((*CALLED, Recover()), EndCall(row=0, call=0, status="ok")),
    ],
)
def test_what_contradicts_the_book_is_refused(steps: tuple[Step, ...], refused: Step) -> None:
    """There is no second outcome, no second end and no work on what is over."""
    assert step(book_after(*steps), refused) is None
