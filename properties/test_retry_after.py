"""Retry-After: a number or a date asks for exactly what it says, anything else for nothing.

Each value is generated together with its meaning, so the law needs no second reader of headers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fractions import Fraction
from typing import NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import VirtualWorld
from chaoscheck.components.retry_after import retry_after_s
from models.retry_after import asks_s


@dataclass(frozen=True, slots=True)
class Value:
    """The text of a header, and the number or the instant that it means; both None: nothing."""

    text: str
    number: Fraction | None = None
    instant: datetime | None = None


def number(text: str) -> Value:
    """A value that is a decimal number."""
    return Value(text, number=Fraction(text.strip()))


def imf_fixdate(instant: datetime) -> str:
    """The format that every sender has to use."""
    return format_datetime(instant, usegmt=True)


def rfc_850(instant: datetime) -> str:
    """An obsolete format that every recipient has to accept."""
    return instant.strftime("%A, %d-%b-%y %H:%M:%S GMT")


def asctime(instant: datetime) -> str:
    """The other one; a day below ten is padded with a space."""
    return instant.strftime(f"%a %b {instant.day:2} %H:%M:%S %Y")


DIGITS = st.integers(0, 10**9).map(str) | st.sampled_from(["0", "1", "007", "120", "2" * 40])
NUMBERS = st.one_of(
    DIGITS,
    st.tuples(DIGITS, st.just("."), st.text("0123456789", max_size=6)).map("".join),
    st.tuples(st.just("."), st.text("0123456789", min_size=1, max_size=6)).map("".join),
).map(number)
WHOLE_SECONDS = st.datetimes(datetime(1971, 1, 1), datetime(2068, 12, 31)).map(
    lambda instant: instant.replace(microsecond=0, tzinfo=UTC)
)
# Each word of these is that of a header which somebody did send, or the edge of a grammar.
NOTHING = (
    "", "-", "-1", "+1", "-0.5", "1e3", "0x10", "1_0", "1,5", "1.2.3", ".", "1 s", "1s", "soon",
    "nan", "inf", "infinity", "\u0663", "\uff11", "9" * 400, "none", "Mon", "Monday", "sun,",
    "Mon, 32 Jan 2026 00:00:00 GMT", "Mon, 00 Jan 2026 00:00:00 GMT",
    "Fri, 30 Feb 2029 00:00:00 GMT", "Mon, 01 Foo 2026 00:00:00 GMT",
    "Thu, 01 Jan 2026 25:00:00 GMT", "Thu, 01 Jan 2026 00:61:00 GMT",
    "Thu, 01 Jan 2026 00:00:99 GMT", "Thu, 01 Jan", "Thu, 01 Jan 2026",
    "Thu, 01 Jan 99999 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 +9999",
    "Thu, 01 Jan 0000 00:00:00 GMT", "Thu, GMT", "fri fri fri fri fri", "2029-01-01T00:00:00Z",
    "2029-01-01", "01 Jan 2029 00:00:00 GMT", "1 Jan 2029", "tuesday",
)  # fmt: skip
OTHERS = st.sampled_from(NOTHING).map(Value)
DATES = st.builds(
    lambda instant, form: Value(form(instant), instant=instant),
    WHOLE_SECONDS,
    st.sampled_from([imf_fixdate, rfc_850, asctime]),
)
NAMES = st.sampled_from([str.lower, str.upper, str.title, str])
NOW = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)


def never_asked() -> NoReturn:
    """A calendar that must not be looked at."""
    raise AssertionError("only a date is told by the calendar")


def at(now: datetime) -> Callable[[], datetime]:
    """A calendar that stands."""
    return lambda: now


def read(seconds: Value | None, milliseconds: Value | None, now: datetime | None) -> float | None:
    """What the component makes of the two headers; without ``now`` it must not ask for it."""
    headers = {"Content-Type": "text/plain"}
    if seconds is not None:
        headers["Retry-After"] = seconds.text
    if milliseconds is not None:
        headers["retry-after-ms"] = milliseconds.text
    return retry_after_s(headers, utc_now=never_asked if now is None else at(now))


@example(number("120"), None, str, 0)
@example(number("0"), None, str.upper, 2)
@example(number(".5"), number("1500"), str.lower, 0)
@example(number("5."), number("0"), str.title, 1)
@example(Value("soon"), number("250.5"), str, 0)
@example(Value("Thu, 01 Jan 99999999999999999999 00:00:00 GMT"), None, str, 0)
@example(number("7"), Value("-1"), str, 0)
@given(NUMBERS | OTHERS, st.none() | NUMBERS | OTHERS, NAMES, st.integers(0, 2))
def test_numbers_ask_for_what_they_say_and_milliseconds_go_first(
    seconds: Value, milliseconds: Value | None, spell: Callable[[str], str], blanks: int
) -> None:
    """Exactly, in any spelling of the names, and the calendar is not asked for a number."""
    headers = {spell("Retry-After"): " " * blanks + seconds.text + "\t" * blanks}
    if milliseconds is not None:
        headers[spell("retry-after-ms")] = milliseconds.text
    expected = asks_s(milliseconds.number if milliseconds else None, seconds.number, None)
    a_date = seconds.text[:3].lower() in ("mon", "tue", "thu", "fri", "sun")
    by_date = a_date and (milliseconds is None or milliseconds.number is None)

    # A thousandth is no binary number: the last bit may differ.
    asked_s = retry_after_s(headers, utc_now=at(NOW) if by_date else never_asked)
    assert (expected is None) == (asked_s is None)
    assert expected is None or asked_s == pytest.approx(expected, rel=1e-12)


@example(
    Value(imf_fixdate(NOW + timedelta(seconds=1)), instant=NOW.replace(second=8, microsecond=0)),
    NOW,
)
@given(DATES, st.datetimes(datetime(1971, 1, 1), datetime(2068, 12, 31)))
def test_a_date_ahead_asks_for_the_time_until_then(date: Value, now: datetime) -> None:
    """In all three formats of HTTP; a date in the past asks for nothing."""
    _require_time_until(date, now.replace(tzinfo=UTC))


@given(
    DATES,
    st.integers(-3_000_000, 3_000_000) | st.sampled_from([0, 1, -1, 250_000, 999_999, 1_000_000]),
)
def test_a_date_less_than_a_second_ahead_asks_for_less_than_a_second(
    date: Value, microseconds: int
) -> None:
    """To the microsecond, on both sides of now; now itself asks for 0 s."""
    assert date.instant is not None
    _require_time_until(date, date.instant - timedelta(microseconds=microseconds))


def _require_time_until(date: Value, now: datetime) -> None:
    assert date.instant is not None
    ahead_s = Fraction((date.instant - now) // timedelta(microseconds=1), 1_000_000)
    assert asks_s(None, None, ahead_s) == read(date, None, now)
    assert asks_s(None, None, ahead_s) == read(date, Value("soon"), now)
    assert asks_s(Fraction(1500), None, ahead_s) == read(date, number("1500"), None)


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_neither_number_nor_date_asks_for_nothing(text: str) -> None:
    """Nothing that a server may send crashes a client, or makes it wait."""
    assert read(Value(text), None, NOW) is None
    assert read(None, Value(text), None) is None
    assert read(Value(text), number("10"), None) == 0.01


@pytest.mark.parametrize("weekday", ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_a_date_may_begin_with_any_day_of_the_week(
    weekday: str, spell: Callable[[str], str]
) -> None:
    """Whether or not it is the right one, in upper and lower case; without a zone it is GMT."""
    text = spell(f"{weekday}, 04 Mar 2026 05:06:08")

    assert read(Value(f"{text} GMT"), None, NOW) == 0.75
    assert read(Value(text), None, NOW) == 0.75


@given(st.text(max_size=30) | st.text("0123456789 :,.GMTJanThu-+", max_size=30))
def test_any_text_at_all_gives_a_time_or_nothing(text: str) -> None:
    """No header crashes a client."""
    for asked_s in (read(Value(text), None, NOW), read(None, Value(text), None)):
        assert asked_s is None or 0 <= asked_s < float("inf")


def test_without_a_calendar_of_ones_own_the_worlds_is_asked() -> None:
    """A world opens at 2026-01-01T00:00:00Z, and its calendar is the default."""
    with VirtualWorld() as world:
        world.advance(2.5)

        assert retry_after_s({"Retry-After": "Thu, 01 Jan 2026 00:00:10 GMT"}) == 7.5
