"""The interleaving: a history as a picture in columns."""

from __future__ import annotations

import pytest

from chaoscheck.checks.interleaving import call_text, interleaving
from chaoscheck.errors import PlanError
from chaoscheck.history.operations import History


class Opaque:
    """A value whose text holds its address."""


def story() -> History:
    """Three clients: one ends well, one is refused, one is cut off."""
    now_s = [0.0]
    history = History(lambda: now_s[0])
    history.invoke("increment", client="ann")
    history.invoke("increment", {"by": 2}, client="bob")
    now_s[0] = 0.1
    history.complete(1, "ok", 1)
    history.complete(2, "failed", error=PermissionError("no"))
    now_s[0] = 2.0
    history.invoke("stop", client="cid")
    history.complete(3, "unknown", error=TimeoutError())
    history.invoke("read", client="ann")
    return history


def test_each_client_has_a_column_and_each_event_a_line() -> None:
    """I read from top to bottom what happened, and from left to right who did it."""
    assert [
        "         ann                         bob                         cid",
        "  0.000s increment()",
        ">                                    increment(by=2)",
        "  0.100s → 1",
        ">                                    ✗ PermissionError('no')",
        "  2.000s                                                         stop()",
        "                                                                 → ? TimeoutError()",
        "         read()",
        "never ended: read() of ann",
    ] == interleaving(story(), highlight={2}).splitlines()


def test_many_clients_share_columns() -> None:
    """Twenty clients still fit beside each other on a page, by name."""
    history = History()
    for number in range(20):
        history.invoke("get", client=f"client {number}")
    for number in range(1, 21):
        history.complete(number, "ok", number)
    lines = interleaving(history).splitlines()

    assert 40 == len(lines)
    assert max(map(len, lines)) <= 100
    assert "client 19: → 2" in lines[-1]


def test_only_the_part_asked_for_is_drawn() -> None:
    """A long history is shown from its end, up to the event that matters."""
    lines = interleaving(story(), until=3, events_max=2).splitlines()

    assert "... 2 earlier events" == lines[0]
    assert 4 == len([line for line in lines if "never ended" not in line])
    assert "(no operations)" == interleaving(History())


def test_two_runs_have_one_text() -> None:
    """Addresses are left out, so that texts can be compared; long values are cut."""
    history = History()
    history.invoke("put", Opaque())
    history.invoke("put", (1, "x" * 90))

    texts = [call_text(each) for each in history]
    assert texts[0].endswith("test_interleaving.Opaque object>)")
    assert f"put(1, '{'x' * 58}…)" == texts[1]


@pytest.mark.parametrize(
    ("options", "what"),
    [({"width": 39}, "at least 40 characters, got 39"), ({"events_max": 0}, "at least 1 or None")],
)
def test_a_drawing_that_cannot_be_is_refused(options: dict[str, int], what: str) -> None:
    """A page too narrow to read is refused with the least width."""
    with pytest.raises(PlanError, match=what):
        interleaving(story(), **options)  # type: ignore[arg-type]
