"""Writing the head of an answer."""

from __future__ import annotations

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.wire.response_head import reason_phrase, response_head


def test_a_head_is_the_same_every_time() -> None:
    """No date, no server name: equal answers are equal bytes."""
    expected = (
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n"
        b"connection: close\r\ncontent-length: 7\r\n\r\n"
    )

    assert expected == response_head(429, (("retry-after", "1"),), 7, connection="close")


def test_what_changes_from_answer_to_answer_follows_what_does_not() -> None:
    """The id of a request stands in its answer's head, whatever was said before."""
    shared = (("content-type", "application/json"),)
    heads = [
        response_head(200, shared, None, fresh=f"x-request-id: {id_}\r\n".encode())
        for id_ in ("1", "2")
    ]

    assert heads == [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: %b\r\n"
        b"transfer-encoding: chunked\r\n\r\n" % id_
        for id_ in (b"1", b"2")
    ]


@pytest.mark.parametrize(("status", "phrase"), [(200, "OK"), (529, "Overloaded"), (799, "")])
def test_every_status_has_a_line(status: int, phrase: str) -> None:
    """Statuses that no RFC knows can be sent, too."""
    assert phrase == reason_phrase(status)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "\u20ac"])
def test_a_header_that_would_break_the_head_is_refused(value: str) -> None:
    """No header of mine can smuggle another one in."""
    with pytest.raises(PlanError):
        response_head(200, (("x", value),), 0)


@pytest.mark.parametrize("status", [0, 99, 1000])
def test_a_status_has_three_digits(status: int) -> None:
    """A status that HTTP cannot express is refused."""
    with pytest.raises(PlanError):
        response_head(status, (), 0)
