"""What a reply asks a client to wait, in every spelling and misspelling."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.components.retry_after import retry_after_s


def noon() -> datetime:
    """A Sunday noon, the instant at which the headers below are read."""
    return datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"RETRY-AFTER": "1.5"}, 1.5),
        ({"Retry-After": ".5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "Sun, 01 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sunday, 01-Nov-26 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sun Nov  1 12:00:30 2026"}, 30.0),
    ],
)
def test_each_spelling_is_understood(headers: dict[str, str], expected: float) -> None:
    """Seconds, fractions, milliseconds and the three forms of an HTTP-date."""
    assert expected == retry_after_s(headers, utc_now=noon)


@pytest.mark.parametrize(
    "text",
    [
        "", "-1", "+1", "1e3", "nan", "inf", "1_0", "0x10", "1, 2", "soon", "٣", "9" * 400,
        "Sun, 01 Nov 2026 11:59:59 GMT", "Sun, 99 Nov 2026 12:00:00 GMT", "Sun", "Sun, ",
        "Sun, 01 Nov 99999999 12:00:00 GMT",
    ],
)  # fmt: skip
def test_garbage_and_the_past_ask_for_nothing(text: str) -> None:
    """What is not a time ahead is ignored."""
    assert retry_after_s({"Retry-After": text, "retry-after-ms": text}, utc_now=noon) is None


@given(st.one_of(st.text(max_size=40), st.text(max_size=40).map(lambda text: f"Mon, {text}")))
def test_no_header_ever_crashes_a_client(text: str) -> None:
    """Whatever a server sends, the answer is a time >= 0 or nothing."""
    asked_s = retry_after_s({"Retry-After": text, "Retry-After-Ms": text}, utc_now=noon)

    assert asked_s is None or asked_s >= 0


def test_the_calendar_is_asked_only_for_a_date() -> None:
    """A reply in seconds is read without looking at any clock."""

    def never() -> datetime:
        raise AssertionError

    assert retry_after_s({"Retry-After": "5"}, utc_now=never) == 5.0
    assert retry_after_s({}, utc_now=never) is None
