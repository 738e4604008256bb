"""Faults that answer with an error status: which error, which headers, which parameters."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer, Event, Shape
from chaoscheck.plan.fault_kinds.api_errors import (
    API_ERRORS,
    CONTENT_FILTERED,
    RETRYABLE_STATUSES,
    ContextLengthError,
)
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault, StatusFault
from chaoscheck.plan.faults.content_filter import ContentFilter
from chaoscheck.plan.faults.context_length import ContextLength
from chaoscheck.plan.faults.status_400 import Status400
from chaoscheck.plan.faults.status_401 import Status401
from chaoscheck.plan.faults.status_402 import Status402
from chaoscheck.plan.faults.status_403 import Status403
from chaoscheck.plan.faults.status_404 import Status404
from chaoscheck.plan.faults.status_408 import Status408
from chaoscheck.plan.faults.status_409 import Status409
from chaoscheck.plan.faults.status_413 import Status413
from chaoscheck.plan.faults.status_422 import Status422
from chaoscheck.plan.faults.status_425 import Status425
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.plan.faults.status_502 import Status502
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.plan.faults.status_504 import Status504
from chaoscheck.plan.faults.status_529 import Status529

STATUS_FAULTS: tuple[type[StatusFault], ...] = (
    Status400,
    Status401,
    Status402,
    Status403,
    Status404,
    Status408,
    Status409,
    Status413,
    Status422,
    Status425,
    Status429,
    Status500,
    Status502,
    Status503,
    Status504,
    Status529,
)
RETRY_LATER = [kind for kind in STATUS_FAULTS if issubclass(kind, RetryLaterFault)]
AT_S = 1_700_000_000.0
GOOD = Answer(
    status=200,
    headers=(("content-type", "application/json"),),
    body=b"{}",
    events=(Event("content", b"data: {}\n\n"),),
    streamed=True,
    shape=Shape(content=("a",), number=("b",)),
    delay_s=1.5,
    at_s=AT_S,
)

of_every_status = pytest.mark.parametrize("kind", STATUS_FAULTS, ids=lambda kind: kind.name)


def test_every_status_of_the_table_has_its_fault() -> None:
    """Each status in the list of faults can be ordered by its number."""
    assert list(API_ERRORS) == [kind.status for kind in STATUS_FAULTS]
    assert [f"status_{status}" for status in API_ERRORS] == [kind.name for kind in STATUS_FAULTS]


@of_every_status
def test_nothing_of_the_good_answer_is_left(kind: type[StatusFault]) -> None:
    """An error is said at once and whole, even in place of a slow stream."""
    headers = (("retry-after", "1"),) if kind is Status429 else ()

    expected = Answer(status=kind.status, headers=headers, error=API_ERRORS[kind.status], at_s=AT_S)
    assert expected == kind().on_answer(GOOD)


def test_only_what_may_be_retried_can_say_when() -> None:
    """A permanent error takes no ``retry_after_s``; a plain 500 has none to give either."""
    assert [status for status in RETRYABLE_STATUSES if status != 500] == [
        kind.status for kind in RETRY_LATER
    ]


@pytest.mark.parametrize("kind", RETRY_LATER, ids=lambda kind: kind.name)
def test_the_wait_is_told_where_i_ask_for_it(kind: Any) -> None:
    """``retry_after_s`` of any retryable status is what its header says."""
    answer = kind(retry_after_s=2.5).on_answer(GOOD)

    assert (("retry-after", "2.5"),) == answer.headers
    assert () == kind(retry_after_s=None).on_answer(GOOD).headers


@pytest.mark.parametrize("wait_s", [-1, float("nan"), float("inf"), "1", True])
def test_a_wait_that_is_no_time_is_refused(wait_s: Any) -> None:
    """The message shows my value."""
    with pytest.raises(PlanError, match="retry_after_s must be a finite number >= 0, got"):
        Status504(retry_after_s=wait_s)


def test_a_context_length_error_names_both_numbers() -> None:
    """My client reads how much would have fitted, in OpenAI's words."""
    answer = ContextLength(tokens_max=8192).on_answer(GOOD)

    expected = ContextLengthError(
        message="This model's maximum context length is 8192 tokens. However, your messages "
        "resulted in 8193 tokens. Please reduce the length of the messages.",
        type="invalid_request_error",
        code="context_length_exceeded",
        param="messages",
        tokens_max=8192,
        tokens=8193,
    )
    assert Answer(status=400, error=expected, at_s=AT_S) == answer


@pytest.mark.parametrize("tokens_max", [0, -1, 1.5, True, "8192", None, 10**10])
def test_a_context_of_no_size_is_refused(tokens_max: Any) -> None:
    """The message shows my value and the legal range."""
    with pytest.raises(PlanError, match=r"tokens_max must be an integer in \[1, 1000000000\], got"):
        ContextLength(tokens_max=tokens_max)


def test_the_default_context_is_that_of_the_class() -> None:
    """What the class says of its error is what a fault without parameters says."""
    assert ContextLength.error == ContextLength().on_answer(GOOD).error


def test_a_filtered_answer_is_one_neutral_error() -> None:
    """The fault knows no provider: whoever is asked finds its own words."""
    assert Answer(status=400, error=CONTENT_FILTERED, at_s=AT_S) == ContentFilter().on_answer(GOOD)
