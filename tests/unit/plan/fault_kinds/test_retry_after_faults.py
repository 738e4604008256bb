"""Odd Retry-After headers: what each fault says, at which statuses, with which parameters."""

from __future__ import annotations

import email.utils
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS, RETRYABLE_STATUSES, OddlyTimedError
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.faults.retry_after_contradicting_ms import RetryAfterContradictingMs
from chaoscheck.plan.faults.retry_after_fraction import RetryAfterFraction
from chaoscheck.plan.faults.retry_after_garbage import RetryAfterGarbage
from chaoscheck.plan.faults.retry_after_http_date import RetryAfterHttpDate
from chaoscheck.plan.faults.retry_after_huge import RetryAfterHuge
from chaoscheck.plan.faults.retry_after_negative import RetryAfterNegative
from chaoscheck.plan.faults.retry_after_past_date import RetryAfterPastDate
from chaoscheck.plan.faults.retry_after_zero import RetryAfterZero
from chaoscheck.wire.response_head import response_head

AT_S = 784_111_772.25  # a quarter of a second past Sun, 06 Nov 1994 08:49:32 GMT
GOOD = Answer(status=200, body=b"{}", streamed=True, delay_s=1.5, at_s=AT_S)

KINDS: tuple[type[RetryAfterFault], ...] = (
    RetryAfterZero,
    RetryAfterFraction,
    RetryAfterHttpDate,
    RetryAfterPastDate,
    RetryAfterNegative,
    RetryAfterHuge,
    RetryAfterGarbage,
    RetryAfterContradictingMs,
)
of_every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (RetryAfterZero(), "0"),
        (RetryAfterFraction(), "0.5"),
        (RetryAfterFraction(seconds=1 / 3), "0.334"),
        (RetryAfterHttpDate(), "Sun, 06 Nov 1994 08:49:38 GMT"),
        (RetryAfterHttpDate(seconds=0), "Sun, 06 Nov 1994 08:49:33 GMT"),
        (RetryAfterPastDate(), "Sun, 06 Nov 1994 07:49:32 GMT"),
        (RetryAfterPastDate(seconds=1), "Sun, 06 Nov 1994 08:49:31 GMT"),
        (RetryAfterNegative(), "-5"),
        (RetryAfterHuge(), "31536000"),
        (RetryAfterHuge(seconds=10**18), "1" + "0" * 18),
        (RetryAfterGarbage(), "soon"),
        (RetryAfterGarbage(text=""), ""),
        (RetryAfterGarbage(text="dès 8 h"), "dès 8 h"),
    ],
    ids=repr,
)
def test_the_header_says_exactly_this(fault: RetryAfterFault, says: str) -> None:
    """I know, to the character, what my client has to read."""
    assert (("retry-after", says),) == fault.on_answer(GOOD).headers


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        (RetryAfterContradictingMs(), (("retry-after", "1"), ("retry-after-ms", "30000"))),
        (RetryAfterContradictingMs(retry_after_s=None), (("retry-after-ms", "30000"),)),
        (
            RetryAfterContradictingMs(retry_after_s=60, retry_after_ms=0),
            (("retry-after", "60"), ("retry-after-ms", "0")),
        ),
    ],
    ids=repr,
)
def test_two_headers_contradict_each_other(
    fault: RetryAfterFault, headers: tuple[tuple[str, str], ...]
) -> None:
    """Whichever of the two my client believes, the other one says something else."""
    assert headers == fault.on_answer(GOOD).headers


@of_every_kind
@pytest.mark.parametrize("status", RETRYABLE_STATUSES)
def test_the_error_is_that_of_the_status(kind: type[RetryAfterFault], status: int) -> None:
    """Any error that may be retried can bear the odd header, and is otherwise the usual one."""
    answer = kind(status=status).on_answer(GOOD)

    error, usual = answer.error, API_ERRORS[status]
    assert isinstance(error, OddlyTimedError)
    assert (usual.message, usual.type, usual.code, usual.param) == (
        error.message,
        error.type,
        error.code,
        error.param,
    )
    assert Answer(status=status, headers=answer.headers, error=error, at_s=AT_S) == answer


@of_every_kind
def test_a_fault_moves_to_another_status(kind: type[RetryAfterFault]) -> None:
    """A plan can put the same headers on whichever error was drawn; 429 is the usual one."""
    assert (kind(status=429), kind(status=503)) == (kind(), kind().at_status(503))


@of_every_kind
@pytest.mark.parametrize("status", [200, 400, 404, 501, True, 429.0, "429", None])
def test_a_status_that_may_not_be_retried_is_refused(
    kind: type[RetryAfterFault], status: Any
) -> None:
    """A Retry-After on a permanent error would test nothing."""
    with pytest.raises(PlanError, match="status must be"):
        kind().at_status(status)


@pytest.mark.parametrize(
    ("kind", "parameters", "says"),
    [
        (RetryAfterFraction, {"seconds": 0.0}, "must have a fraction"),
        (RetryAfterFraction, {"seconds": 2}, "must have a fraction"),
        (RetryAfterFraction, {"seconds": 0.99999}, "must have a fraction"),
        (RetryAfterFraction, {"seconds": -0.5}, ">= 0, got -0.5"),
        (RetryAfterFraction, {"seconds": 1e12}, "<= 315360000"),
        (RetryAfterFraction, {"seconds": "1"}, "got '1'"),
        (RetryAfterHttpDate, {"seconds": -1}, ">= 0, got -1"),
        (RetryAfterHttpDate, {"seconds": float("nan")}, "got nan"),
        (RetryAfterHttpDate, {"seconds": 1e10}, "<= 315360000"),
        (RetryAfterPastDate, {"seconds": 0.5}, ">= 1, got 0.5"),
        (RetryAfterPastDate, {"seconds": 1e10}, "<= 315360000"),
        (RetryAfterHuge, {"seconds": 3599}, "in \\[3600"),
        (RetryAfterHuge, {"seconds": 10**19}, "in \\[3600"),
        (RetryAfterHuge, {"seconds": 4000.5}, "an integer"),
        (RetryAfterGarbage, {"text": "so\non"}, "printable Latin-1"),
        (RetryAfterGarbage, {"text": "so\x7fon"}, "printable Latin-1"),
        (RetryAfterGarbage, {"text": "so\x85on"}, "printable Latin-1"),
        (RetryAfterGarbage, {"text": "пять"}, "printable Latin-1"),
        (RetryAfterGarbage, {"text": "x" * 101}, "at most 100 characters"),
        (RetryAfterGarbage, {"text": "\\" * 51}, "at most 100 characters"),
        (RetryAfterGarbage, {"text": 5}, "got 5"),
        (RetryAfterGarbage, {"text": None}, "got None"),
        (RetryAfterContradictingMs, {"retry_after_s": 30}, "must contradict"),
        (RetryAfterContradictingMs, {"retry_after_ms": -1}, "got -1"),
        (RetryAfterContradictingMs, {"retry_after_ms": 1.5}, "an integer"),
        (RetryAfterContradictingMs, {"retry_after_s": -1}, ">= 0, got -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(
    kind: type[RetryAfterFault], parameters: dict[str, Any], says: str
) -> None:
    """The message shows my value and what would be legal."""
    with pytest.raises(PlanError, match=says):
        kind(**parameters)


@given(st.floats(0, 4e9), st.floats(0, 1e8))
def test_a_date_is_never_too_early(now_s: float, seconds: float) -> None:
    """Who waits until the date has waited long enough, by at most a second more."""
    fault = RetryAfterHttpDate(seconds=seconds)
    ((_, date),) = fault.on_answer(Answer(status=200, at_s=now_s)).headers

    late_s = email.utils.parsedate_to_datetime(date).timestamp() - (now_s + seconds)
    assert 0 <= late_s <= 1


@given(st.floats(0, 4e9), st.floats(1, 1e8))
def test_a_past_date_is_past(now_s: float, seconds: float) -> None:
    """A client that subtracts its clock from it gets a negative wait, before 1970 too."""
    fault = RetryAfterPastDate(seconds=seconds)
    ((_, date),) = fault.on_answer(Answer(status=200, at_s=now_s)).headers

    early_s = now_s - seconds - email.utils.parsedate_to_datetime(date).timestamp()
    assert 0 <= early_s <= 1


@given(st.text(st.characters(max_codepoint=0xFF), max_size=110))
def test_whatever_text_is_taken_can_be_sent_and_read_back(text: str) -> None:
    """A fault in my report is short enough for a plan, and its header goes over the wire."""
    try:
        fault = RetryAfterGarbage(text=text)
    except PlanError:
        return

    assert text.encode("latin-1") in response_head(429, fault.headers(0.0), 0)
    assert len(repr(fault)) <= 200
