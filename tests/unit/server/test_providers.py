"""How each provider writes an error, and the headers that it puts on every answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer, ApiError, Event, Shape
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault, StatusFault
from chaoscheck.plan.faults.content_filter import ContentFilter
from chaoscheck.plan.faults.context_length import ContextLength
from chaoscheck.plan.faults.retry_after_contradicting_ms import RetryAfterContradictingMs
from chaoscheck.plan.faults.retry_after_fraction import RetryAfterFraction
from chaoscheck.plan.faults.retry_after_zero import RetryAfterZero
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_502 import Status502
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.plan.faults.status_504 import Status504
from chaoscheck.plan.faults.status_529 import Status529
from chaoscheck.server.providers import ANTHROPIC, AZURE, OPENAI, OPENROUTER, Provider

ID = "req_000007"
GOOD = Answer(
    status=200,
    headers=(("content-type", "application/json"),),
    body=b"{}",
    events=(Event("content", b"data: {}\n\n"),),
    streamed=True,
    shape=Shape(content=("a",), number=("b",)),
    delay_s=1.5,
    at_s=7.0,
)
PROVIDERS = (OPENAI, AZURE, OPENROUTER, ANTHROPIC)
of_every_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)

OWN_HEADERS = {
    "openai": (("openai-version", "2020-10-01"), ("openai-processing-ms", "12")),
    "azure": (("x-ms-region", "East US"), ("apim-request-id", ID)),
    "openrouter": (),
    "anthropic": (("anthropic-organization-id", "00000000-0000-4000-8000-000000000001"),),
}


def _error(provider: Provider, answer: Answer) -> tuple[int, Any]:
    """Status and error object of an answer as this provider writes it."""
    worded = provider.worded(answer, ID)
    body = json.loads(worded.body)
    envelope = {"type": "error", "request_id": ID} if provider is ANTHROPIC else {}
    assert envelope == {name: value for name, value in body.items() if name != "error"}
    assert ("content-type", "application/json") == worded.headers[0]
    return worded.status, body["error"]


def _usual(provider: Provider, status: int) -> Any:
    seen, error = _error(provider, Answer(status=status, error=API_ERRORS[status]))
    assert status == seen
    return error


@of_every_provider
def test_a_good_answer_gains_headers_and_loses_nothing(provider: Provider) -> None:
    """Every answer bears the headers that the real provider sends; the rest is as it was."""
    expected = Answer(
        status=200,
        headers=(*GOOD.headers, *OWN_HEADERS[provider.name]),
        body=GOOD.body,
        events=GOOD.events,
        streamed=True,
        shape=GOOD.shape,
        delay_s=1.5,
        at_s=7.0,
    )
    assert expected == provider.worded(GOOD, ID)


@of_every_provider
def test_an_error_bears_the_same_headers(provider: Provider) -> None:
    """An error is a JSON body at the same calendar, never a stream."""
    worded = provider.worded(Answer(status=500, error=API_ERRORS[500], at_s=7.0), ID)

    expected = Answer(
        status=500,
        headers=(("content-type", "application/json"), *OWN_HEADERS[provider.name]),
        body=worded.body,
        at_s=7.0,
    )
    assert expected == worded


@pytest.mark.parametrize("status", [status for status in API_ERRORS if status not in (502, 504)])
def test_openai_writes_all_four_fields(status: int) -> None:
    """Message, type, param and code are there in every error, null where there is nothing."""
    error = API_ERRORS[status]
    expected = {"message": error.message, "type": error.type, "param": None, "code": error.code}

    assert expected == _usual(OPENAI, status)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [(502, "Bad gateway.", "cf_bad_gateway"), (504, "Gateway timeout.", "cf_gateway_timeout")],
)
def test_what_stands_before_openai_says_its_status(status: int, message: str, kind: str) -> None:
    """A gateway's error has the status, as a number, in place of a code."""
    expected = {"message": message, "type": kind, "param": None, "code": status}

    assert expected == _usual(OPENAI, status)


@pytest.mark.parametrize(
    ("status", "code", "begins"),
    [
        (400, "invalid_value", "Invalid value"),
        (401, "401", "Access denied due to invalid subscription key"),
        (402, "402", "You exceeded your current quota"),
        (403, "403", "Access denied due to Virtual Network"),
        (404, "DeploymentNotFound", "The API deployment for this resource"),
        (408, "Timeout", "The operation was timeout."),
        (409, "409", "The resource was updated"),
        (413, "413", "Maximum content size"),
        (422, "422", "Unable to process"),
        (425, "425", "The request came too early"),
        (429, "429", "Rate limit reached"),
        (500, "500", "The server had an error"),
        (502, "502", "Bad gateway"),
        (503, "503", "The engine is currently overloaded"),
        (504, "504", "Gateway timeout"),
        (529, "529", "Overloaded"),
    ],
)
def test_azure_writes_code_and_message(status: int, code: str, begins: str) -> None:
    """The code is a word where Azure has one, else the status as text."""
    error = _usual(AZURE, status)

    assert ({"code", "message"}, code) == (set(error), error["code"])
    assert error["message"].startswith(begins)


@pytest.mark.parametrize("status", [status for status in API_ERRORS if status != 502])
def test_openrouter_repeats_the_status(status: int) -> None:
    """The code is the status as a number."""
    error = _usual(OPENROUTER, status)

    assert ({"code", "message"}, status) == (set(error), error["code"])


def test_openrouter_tells_which_provider_failed() -> None:
    """A 502 names who is behind it and what that said."""
    expected = {
        "code": 502,
        "message": "Provider returned error",
        "metadata": {"raw": "Bad gateway.", "provider_name": "OpenAI"},
    }
    assert expected == _usual(OPENROUTER, 502)


@pytest.mark.parametrize(
    ("status", "begins"),
    [
        (401, "No auth credentials found"),
        (402, "Insufficient credits"),
        (403, "Key limit exceeded"),
        (404, "No endpoints found"),
        (429, "Rate limit reached"),
    ],
)
def test_openrouter_has_words_of_its_own(status: int, begins: str) -> None:
    """What my client shows its user is what it would show in earnest."""
    assert _usual(OPENROUTER, status)["message"].startswith(begins)


@pytest.mark.parametrize(
    ("status", "kind", "begins"),
    [
        (400, "invalid_request_error", "Invalid value"),
        (401, "authentication_error", "invalid x-api-key"),
        (402, "billing_error", "Your credit balance is too low"),
        (403, "permission_error", "Your API key does not have permission"),
        (404, "not_found_error", "The requested resource could not be found"),
        (408, "timeout_error", "Request timed out"),
        (409, "conflict_error", "The resource was updated"),
        (413, "request_too_large", "Request exceeds the maximum size"),
        (422, "invalid_request_error", "Unable to process"),
        (425, "invalid_request_error", "The request came too early"),
        (429, "rate_limit_error", "Rate limit reached"),
        (500, "api_error", "The server had an error"),
        (502, "api_error", "Bad gateway"),
        (503, "api_error", "The engine is currently overloaded"),
        (504, "timeout_error", "The request timed out"),
        (529, "overloaded_error", "Overloaded"),
    ],
)
def test_anthropic_names_the_kind_of_error(status: int, kind: str, begins: str) -> None:
    """The type is the one that Anthropic documents for the status."""
    error = _usual(ANTHROPIC, status)

    assert ({"type", "message"}, kind) == (set(error), error["type"])
    assert error["message"].startswith(begins)


@of_every_provider
@pytest.mark.parametrize("status", [401, 404])
def test_a_specific_message_is_kept(provider: Provider, status: int) -> None:
    """Only the usual error of a status is reworded; what names my mistake stays."""
    own = ApiError(message="The model 'x' does not exist", type="t", code=API_ERRORS[status].code)

    assert own.message == _error(provider, Answer(status=status, error=own))[1]["message"]


TOO_LONG = {
    "message": "This model's maximum context length is 100 tokens. However, your messages "
    "resulted in 101 tokens. Please reduce the length of the messages.",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
}


@pytest.mark.parametrize(
    ("provider", "error"),
    [
        (OPENAI, TOO_LONG),
        (AZURE, TOO_LONG),
        (
            OPENROUTER,
            {
                "code": 400,
                "message": "This endpoint's maximum context length is 100 tokens. However, you "
                "requested about 101 tokens (101 of text input). Please reduce the length of "
                'either one, or use the "middle-out" transform to compress your prompt '
                "automatically.",
                "metadata": {"provider_name": None},
            },
        ),
        (
            ANTHROPIC,
            {
                "type": "invalid_request_error",
                "message": "prompt is too long: 101 tokens > 100 maximum",
            },
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Provider) else "",
)
def test_a_prompt_too_long_is_refused_in_the_providers_words(
    provider: Provider, error: dict[str, object]
) -> None:
    """A client that parses the numbers out of the message finds them where they really are."""
    assert (400, error) == _error(provider, ContextLength(tokens_max=100).on_answer(GOOD))


SAFE = {"filtered": False, "severity": "safe"}


@pytest.mark.parametrize(
    ("provider", "status", "error"),
    [
        (
            OPENAI,
            400,
            {
                "message": "Your request was rejected as a result of our safety system. "
                "Your prompt may contain text that is not allowed by our safety system.",
                "type": "invalid_request_error",
                "param": None,
                "code": "content_policy_violation",
            },
        ),
        (
            AZURE,
            400,
            {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's "
                "content management policy. Please modify your prompt and retry. To learn more "
                "about our content filtering policies please read our documentation: "
                "https://go.microsoft.com/fwlink/?linkid=2198766",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {
                        "hate": SAFE,
                        "jailbreak": {"filtered": False, "detected": False},
                        "self_harm": SAFE,
                        "sexual": SAFE,
                        "violence": {"filtered": True, "severity": "medium"},
                    },
                },
            },
        ),
        (
            OPENROUTER,
            403,
            {
                "code": 403,
                "message": "openai/gpt-4o requires moderation on OpenAI. Your input was flagged "
                'for "violence". No credits were charged.',
                "metadata": {
                    "reasons": ["violence"],
                    "flagged_input": "...",
                    "provider_name": "OpenAI",
                    "model_slug": "openai/gpt-4o",
                },
            },
        ),
        (
            ANTHROPIC,
            400,
            {
                "type": "invalid_request_error",
                "message": "Output blocked by content filtering policy",
            },
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Provider) else "",
)
def test_moderation_speaks_as_the_provider_does(
    provider: Provider, status: int, error: dict[str, object]
) -> None:
    """Status, code and details are where my client looks for them at this provider."""
    assert (status, error) == _error(provider, ContentFilter().on_answer(GOOD))


def _waits(provider: Provider, answer: Answer) -> dict[str, str]:
    """The headers about when to come back; each at most once."""
    told = [pair for pair in provider.worded(answer, ID).headers if pair[0].startswith("retry")]
    assert len(told) == len(dict(told))
    return dict(told)


@of_every_provider
@pytest.mark.parametrize(
    ("fault", "seconds", "ms"),
    [
        (Status429(), "1", "1000"),
        (Status429(retry_after_s=0.3), "0.3", "300"),
        (Status429(retry_after_s=1 / 3), "0.334", "334"),
        (Status503(retry_after_s=20), "20", "20000"),
        (Status429(retry_after_s=None), None, None),
        (Status502(retry_after_s=2), "2", None),
        (Status504(retry_after_s=2), "2", None),
        (Status529(retry_after_s=2), "2", None),
    ],
    ids=repr,
)
def test_openai_and_azure_say_the_wait_twice(
    provider: Provider, fault: RetryLaterFault, seconds: str | None, ms: str | None
) -> None:
    """``retry-after-ms`` says the same time as ``retry-after``, where the real ones send both."""
    twice = ms is not None and provider in (OPENAI, AZURE)
    expected = {"retry-after": seconds, "retry-after-ms": ms if twice else None}

    told = _waits(provider, fault.on_answer(GOOD))
    assert {name: value for name, value in expected.items() if value is not None} == told


@of_every_provider
@pytest.mark.parametrize(
    "fault",
    [RetryAfterZero(), RetryAfterFraction(status=503), RetryAfterContradictingMs()],
    ids=repr,
)
def test_odd_headers_stand_alone(provider: Provider, fault: RetryAfterFault) -> None:
    """What a header fault says about when is all that is said, at every provider."""
    answer = fault.on_answer(GOOD)

    assert dict(answer.headers) == _waits(provider, answer)


@of_every_provider
@pytest.mark.parametrize("status", [408, 429, 502, 504])
def test_an_oddly_timed_error_is_worded_as_ever(provider: Provider, status: int) -> None:
    """The header is odd; the body is what this provider says at this status anyway."""
    odd = RetryAfterZero(status=status).on_answer(GOOD)

    assert (status, _usual(provider, status)) == _error(provider, odd)


@of_every_provider
@pytest.mark.parametrize("says", ["soon", "", "-1", "1e9", "٣", "9" * 400])
def test_a_fault_of_my_own_may_say_anything(provider: Provider, says: str) -> None:
    """A wait that is no number of seconds is sent as it is and breaks nothing."""

    class Mine(StatusFault):
        status = 429
        error = API_ERRORS[429]

        def headers(self) -> tuple[tuple[str, str], ...]:
            return (("retry-after", says),)

    assert {"retry-after": says} == _waits(provider, Mine().on_answer(GOOD))
