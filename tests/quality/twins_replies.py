"""Clients that judge a whole reply wrongly: its status or its body. The law: laws of A, Transforms.

"Bad JSON, empty choices, null or blank content, missing or mistyped fields, NaN ... are each their
own typed, permanent error. Retryable: 408, 409, 425, 429, every 5xx ... Permanent: the other 4xx."
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import httpx

from chaoscheck import Fault
from chaoscheck.components.llm_reply import LlmReply, read_reply
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform
from chaoscheck.components.query import FailureKind, QueryError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from tests.quality.narrow_pipeline import BodyPipeline, StatusPipeline
from tests.quality.one_fault_bug import OUTCOME_LAWS, OneFaultBug, one_fault_bug

__all__ = ["BODY_BUGS", "STATUS_BUGS"]


class MisjudgesAnError(OpenRouterLLMTransform):
    """Breaks the sentences above for the errors with this status and this code."""

    status: ClassVar[int]
    code: ClassVar[object]
    believed: ClassVar[FailureKind]

    def _read(self, response: httpx.Response) -> LlmReply:
        try:
            return super()._read(response)
        except QueryError as error:
            if (response.status_code, _code_of(response)) == (self.status, self.code):
                error.kind = self.believed
            raise


def _code_of(response: httpx.Response) -> object:
    body = response.json()
    return body["error"]["code"] if "error" in body else None


def _status_bug(
    fault: type[Fault], name: str, what: str, *, status: int, code: object, believed: FailureKind
) -> OneFaultBug:
    wrong = {"status": status, "code": code, "believed": believed}
    transform = type(f"Misjudges{status}", (MisjudgesAnError,), wrong)
    return one_fault_bug(fault, what, name=name, transform=transform, sound=StatusPipeline)


def _given_up(fault: type[Fault], status: int) -> OneFaultBug:
    return _status_bug(
        fault,
        f"status-{status}-is-given-up",
        f"A {status} fails the row although another attempt was due.",
        status=status,
        # What the network in front of a provider says bears the status as a number.
        code=status if status in (502, 504) else API_ERRORS[status].code,
        believed="permanent",
    )


def _asked_again(fault: type[Fault], status: int) -> OneFaultBug:
    return _status_bug(
        fault,
        f"status-{status}-is-asked-again",
        f"A {status}, which can only come again, is tried again.",
        status=status,
        code=API_ERRORS[status].code,
        believed="transient",
    )


STATUS_BUGS: tuple[OneFaultBug, ...] = (
    _given_up(faults.status_408, 408),
    _given_up(faults.status_409, 409),
    _given_up(faults.status_425, 425),
    _given_up(faults.status_429, 429),
    _given_up(faults.status_500, 500),
    _given_up(faults.status_502, 502),
    _given_up(faults.status_503, 503),
    _given_up(faults.status_504, 504),
    _given_up(faults.status_529, 529),
    _asked_again(faults.status_400, 400),
    _asked_again(faults.status_401, 401),
    _asked_again(faults.status_402, 402),
    _asked_again(faults.status_403, 403),
    _asked_again(faults.status_404, 404),
    _asked_again(faults.status_413, 413),
    _asked_again(faults.status_422, 422),
    _status_bug(
        faults.context_length,
        "context-length-is-asked-again",
        "A prompt that is too long is sent again, as if it could become shorter.",
        status=400,
        code="context_length_exceeded",
        believed="transient",
    ),
    _status_bug(
        faults.content_filter,
        "content-filter-is-asked-again",
        "What moderation refused is sent again, as if it had been in a bad mood.",
        status=400,
        code="content_policy_violation",
        believed="transient",
    ),
)


class Lenient(OpenRouterLLMTransform):
    """Lets replies pass that were refused for this ``reason``."""

    reason: ClassVar[str]

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """What a wrong client makes of it; None where it sees the defect, too."""
        return None

    def _read(self, response: httpx.Response) -> LlmReply:
        try:
            return super()._read(response)
        except QueryError as error:
            reply = self.excuse(response) if error.reason == self.reason else None
            if reply is None:
                raise
            return reply


def _said(content: str) -> LlmReply:
    return LlmReply(content=content, model="test/model", usage={})


def _message(response: httpx.Response) -> dict[str, Any]:
    """The message as plain code gets at it."""
    message: dict[str, Any] = json.loads(response.content)["choices"][0]["message"]
    return message


class MendsJson(Lenient):
    """Breaks "bad JSON": a comma too many is taken away."""

    reason = "invalid_json"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """What stands there without it."""
        if not response.content.startswith(b"{,"):
            return None
        mended = response.content.replace(b"{,", b"{", 1)
        return read_reply(status=response.status_code, headers=response.headers, body=mended)


class AsksForTheRest(OpenRouterLLMTransform):
    """Breaks "a complete reply with bad JSON is permanent": it must have been cut on its way."""

    closing: ClassVar[bool]

    def _read(self, response: httpx.Response) -> LlmReply:
        closing = response.headers.get("connection") == "close"
        try:
            return super()._read(response)
        except QueryError as error:
            if _breaks_off(response.content) and closing == self.closing:
                error.kind = "transient"
            raise


def _breaks_off(body: bytes) -> bool:
    return body.startswith(b"{") and not body.endswith(b"}")


class AsksForTheRestOfAKeptConnection(AsksForTheRest):
    """Where the connection goes on, as if the rest were still to come."""

    closing = False


class AsksForTheRestOfAClosedConnection(AsksForTheRest):
    """Where the server announces that it closes, as if it had done so too early."""

    closing = True


class TakesNothingForAnAnswer(Lenient):
    """Breaks "bad JSON": no body at all is an empty text."""

    reason = "invalid_json"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """Nothing said is nothing meant."""
        return None if response.content else _said("")


class DefaultsToNothing(Lenient):
    """Breaks "missing fields": ``message.get("content", "")``."""

    reason = "missing_field"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text, or an empty one."""
        document = json.loads(response.content)
        return _said(_message(response).get("content", "")) if "choices" in document else None


class MakesTextOfAnything(Lenient):
    """Breaks "mistyped fields": ``str(message["content"])``."""

    reason = "mistyped_field"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text of whatever it is."""
        choices = json.loads(response.content)["choices"]
        return _said(str(_message(response)["content"])) if isinstance(choices, list) else None


class TakesNullForNothing(Lenient):
    """Breaks "null content": ``message["content"] or ""``."""

    reason = "null_content"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text, or an empty one."""
        return _said(_message(response)["content"] or "")


class TakesTheFirstChoice(Lenient):
    """Breaks "empty choices": ``choices[0]`` of a list that has none."""

    reason = "empty_choices"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text of the first one."""
        return _said(_message(response)["content"])


class TakesNan(Lenient):
    """Breaks "NaN": Python's parser takes it."""

    reason = "not_a_number"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text beside it."""
        return _said(_message(response)["content"])


class LetsTheLastOneWin(Lenient):
    """Breaks "no name stands twice": Python's parser takes the last one."""

    reason = "duplicate_key"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text that came last."""
        return _said(_message(response)["content"])


class ReplacesWhatIsNoText(Lenient):
    """Breaks "bad JSON": ``body.decode(errors="replace")``."""

    reason = "invalid_json"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text with question marks, where the body was whole otherwise."""
        body = response.content.decode(errors="replace").encode()
        if body == response.content:
            return None
        return read_reply(status=response.status_code, headers=response.headers, body=body)


class NeverLooksAtTheType(Lenient):
    """Breaks "a web page is no completion", whatever its body looks like."""

    reason = "wrong_content_type"

    def excuse(self, response: httpx.Response) -> LlmReply | None:
        """The text in the body."""
        return _said(_message(response)["content"])


class RefusesLargeReplies(OpenRouterLLMTransform):
    """Breaks "an operation may fail only if a fault hit it": a large reply is a good one."""

    def _read(self, response: httpx.Response) -> LlmReply:
        if len(response.content) > 4096:
            raise QueryError(
                "too large", kind="permanent", reason="too_large", error_type="reply_error"
            )
        return super()._read(response)


def _body_bug(
    fault: type[Fault],
    transform: type[OpenRouterLLMTransform],
    name: str,
    what: str,
    laws: tuple[str, ...] = OUTCOME_LAWS,
) -> OneFaultBug:
    return one_fault_bug(fault, what, name=name, laws=laws, transform=transform, sound=BodyPipeline)


BODY_BUGS: tuple[OneFaultBug, ...] = (
    _body_bug(
        faults.invalid_json,
        MendsJson,
        "invalid-json-is-mended",
        "A reply that is no JSON is repaired and taken for what was meant.",
    ),
    _body_bug(
        faults.truncated_json,
        AsksForTheRestOfAKeptConnection,
        "truncated-json-is-asked-again",
        "A complete reply whose JSON breaks off is paid for again.",
    ),
    _body_bug(
        faults.content_length_short,
        AsksForTheRestOfAClosedConnection,
        "content-length-short-is-asked-again",
        "A reply that is as long as it says, and closes, is paid for again.",
    ),
    _body_bug(
        faults.empty_body,
        TakesNothingForAnAnswer,
        "empty-body-is-an-empty-text",
        "A success that says nothing is a good row with an empty text.",
    ),
    _body_bug(
        faults.missing_fields,
        DefaultsToNothing,
        "missing-fields-are-empty",
        "A message without content is a good row with an empty text.",
    ),
    _body_bug(
        faults.wrong_types,
        MakesTextOfAnything,
        "wrong-types-become-text",
        "A number in place of the text is a good row that says the number.",
    ),
    _body_bug(
        faults.null_content,
        TakesNullForNothing,
        "null-content-is-an-empty-text",
        "Content that is null is a good row with an empty text.",
    ),
    _body_bug(
        faults.empty_choices,
        TakesTheFirstChoice,
        "empty-choices-crash",
        "A list without choices ends the whole transform.",
        ("IndexError",),
    ),
    _body_bug(
        faults.nan,
        TakesNan,
        "nan-is-a-number",
        "A reply with a number that is none is a good row.",
    ),
    _body_bug(
        faults.duplicate_keys,
        LetsTheLastOneWin,
        "duplicate-keys-last-one-wins",
        "Of two contents the row takes the wrong one.",
    ),
    _body_bug(
        faults.invalid_utf8,
        ReplacesWhatIsNoText,
        "invalid-utf8-is-replaced",
        "Bytes that are no text become question marks in a good row.",
    ),
    _body_bug(
        faults.wrong_content_type,
        NeverLooksAtTheType,
        "wrong-content-type-is-overlooked",
        "What says that it is a web page is a good row.",
    ),
    _body_bug(
        faults.huge_body,
        RefusesLargeReplies,
        "huge-body-is-refused",
        "A good reply that is large fails its row.",
    ),
)
