"""Replies as they are written: what goes together, and what is said when it does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.replies import RecordedCall, RecordedReply, Replies

ENTRY = RecordedReply(text="hello")

REFUSALS: list[tuple[Callable[[], object], str]] = [
    (lambda: Replies(mode="parrot"), "one of echo, template, seeded, recorded, got 'parrot'"),  # type: ignore[arg-type]
    (lambda: Replies(mode="template"), "template goes with mode 'template'"),
    (lambda: Replies(template="x"), "template goes with mode 'template', and mode is 'echo'"),
    (lambda: Replies(mode="template", template=""), "at least one character, got ''"),
    (lambda: Replies(mode="template", template="x" * 100_001), "at most 100000 characters"),
    (lambda: Replies(mode="recorded"), "needs either path or entries"),
    (lambda: Replies(mode="recorded", path="x", entries=(ENTRY,)), "needs either path or entries"),
    (lambda: Replies(path="x"), "no other mode knows"),
    (lambda: Replies(entries=(ENTRY,)), "no other mode knows"),
    (lambda: Replies(entries=[ENTRY]), "entries must be a tuple"),  # type: ignore[arg-type]
    (lambda: Replies(words_min=0), "words_min must be an integer in [1, 100000], got 0"),
    (lambda: Replies(words_max=100_001), "words_max must be an integer in [1, 100000]"),
    (lambda: Replies(words_min=9, words_max=8), "words_max must be >= words_min = 9, got 8"),
    (lambda: Replies(tag=1), "tag must be true or false, got 1"),  # type: ignore[arg-type]
    (lambda: Replies(first_token_s=-1), "first_token_s must be a finite number >= 0, got -1"),
    (lambda: Replies(token_s=float("nan")), "token_s must be a finite number >= 0, got nan"),
    (lambda: RecordedReply(text=None), "text must be text, got None"),  # type: ignore[arg-type]
    (lambda: RecordedReply(text="x", prompt=1), "prompt must be text or None, got 1"),  # type: ignore[arg-type]
    (lambda: RecordedReply(text="x", tool_calls=("f",)), "must be RecordedCall values"),  # type: ignore[arg-type]
    (lambda: RecordedCall(name=""), "name must be text of at least one character"),
    (lambda: RecordedCall(name="f", arguments={}), "arguments must be text"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "says"), REFUSALS)
def test_replies_written_wrong_are_refused(wrong: Callable[[], object], says: str) -> None:
    """The message shows the value that I gave and what is legal."""
    with pytest.raises(PlanError) as refusal:
        wrong()

    assert says in str(refusal.value)


def test_by_default_a_server_echoes_at_once() -> None:
    """A plan that says nothing about replies has the simplest there is."""
    assert ("echo", 0.0, 0.0, False) == (
        Replies().mode,
        Replies().first_token_s,
        Replies().token_s,
        Replies().tag,
    )
