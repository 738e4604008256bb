"""Thinking before the text: what Anthropic's ``thinking`` asks for, and within which limits.

A budget is at least 1 024 tokens and below ``max_tokens``; thinking goes with no forced tool, no
changed temperature and no prefilled answer (Anthropic's documentation, "Extended thinking").
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NamedTuple

from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["NO_THINKING", "Thinking", "signature_of", "thinking_of"]

_BUDGET_TOKENS_MIN = 1024
_TOP_P_MIN = 0.95
_KINDS = ("adaptive", "between_tools", "disabled", "enabled")
_DISPLAYS = ("summarized", "omitted")
_TEXT = "The last message asks for an answer, so I write one."
_THOUGHTS = ("thinking", "redacted_thinking")


class Thinking(NamedTuple):
    """A thinking block of ``tokens`` tokens, shown as ``text``; no block if ``tokens`` is 0."""

    tokens: int
    text: str


NO_THINKING = Thinking(0, "")


def thinking_of(asked: Mapping[str, object], max_tokens: int, *, must_call: bool) -> Thinking:
    """The thinking that a request asks for; BadRequest where it breaks a limit.

    ``must_call`` says that ``tool_choice`` forces a tool. A model that thinks only when it wants to
    does so where ``max_tokens`` leaves room for an answer.
    """
    wanted = asked.get("thinking")
    if wanted is None:
        return NO_THINKING
    if not isinstance(wanted, dict):
        raise _bad("thinking: Input should be a valid dictionary or object")
    kind = _kind(wanted)
    if kind == "disabled" or (kind == "between_tools" and not _answers_a_tool(asked)):
        return NO_THINKING
    if kind == "enabled":
        _require_budget(wanted, max_tokens)
    _require_compatible(asked, must_call=must_call)
    display = wanted.get("display")
    if display is not None and display not in _DISPLAYS:
        raise _bad(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")
    tokens = len(_TEXT.split())
    if max_tokens <= tokens:
        return NO_THINKING
    return Thinking(tokens, "" if display == "omitted" else _TEXT)


def signature_of(number: int) -> str:
    """The signature of the thinking in the server's ``number``-th answer; it means nothing else."""
    return base64.b64encode(b"chaoscheck thought %d" % number).decode("ascii")


def _kind(wanted: Mapping[str, object]) -> str:
    kind = wanted.get("type")
    if kind is None:
        raise _bad("thinking.type: Field required")
    if not isinstance(kind, str) or kind not in _KINDS:
        tags = ", ".join(f"'{tag}'" for tag in _KINDS)
        raise _bad(
            f"thinking: Input tag '{str(kind)[:100]}' found using 'type' does not match any of the"
            f" expected tags: {tags}"
        )
    return kind


def _require_budget(wanted: Mapping[str, object], max_tokens: int) -> None:
    where = "thinking.enabled.budget_tokens"
    budget = wanted.get("budget_tokens")
    if budget is None:
        raise _bad(f"{where}: Field required")
    if not isinstance(budget, int) or isinstance(budget, bool):
        raise _bad(f"{where}: Input should be a valid integer")
    if budget < _BUDGET_TOKENS_MIN:
        raise _bad(f"{where}: Input should be greater than or equal to {_BUDGET_TOKENS_MIN}")
    if budget >= max_tokens:
        raise _bad("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _require_compatible(asked: Mapping[str, object], *, must_call: bool) -> None:
    if must_call:
        raise _bad("Thinking may not be enabled when tool_choice forces tool use.")
    if asked.get("temperature") not in (None, 1):
        raise _bad("`temperature` may only be set to 1 when thinking is enabled.")
    if asked.get("top_k") is not None:
        raise _bad("`top_k` must be unset when thinking is enabled.")
    top_p = asked.get("top_p")
    if isinstance(top_p, int | float) and top_p < _TOP_P_MIN:
        raise _bad(
            f"`top_p` must be greater than or equal to {_TOP_P_MIN} or unset when thinking is"
            " enabled."
        )
    _require_no_prefill(asked)


def _require_no_prefill(asked: Mapping[str, object]) -> None:
    last = _last(asked)
    if last.get("role") != "assistant":
        return
    content = last.get("content")
    first = content[0].get("type") if isinstance(content, list) and content else "text"
    if first not in _THOUGHTS:
        raise _bad(
            f"messages: Expected `thinking` or `redacted_thinking`, but found `{first}`. When"
            " `thinking` is enabled, a final `assistant` message must start with a thinking block."
        )


def _answers_a_tool(asked: Mapping[str, object]) -> bool:
    content = _last(asked).get("content")
    return isinstance(content, list) and any(it.get("type") == "tool_result" for it in content)


def _last(asked: Mapping[str, object]) -> Mapping[str, object]:
    # The messages have been read by now: they are objects whose contents hold objects.
    messages = asked["messages"]
    last: Mapping[str, object] = messages[-1] if isinstance(messages, list) else {}
    return last


def _bad(message: str) -> BadRequest:
    return BadRequest(message, "thinking")
