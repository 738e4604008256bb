"""The room that a model's context window leaves: for a prompt, and for the answer behind it.

OpenAI's chat and completions, and Anthropic's messages, refuse a prompt that does not fit together
with the tokens asked for; OpenAI's responses and Gemini look at the prompt alone. What an answer
may then have is the rest of the window.
"""

from __future__ import annotations

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.context_window import window_of
from chaoscheck.plan.fault_kinds.api_errors import ContextLengthError
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.request_body import BadRequest

__all__ = [
    "ContextExceeded",
    "prompt_too_long",
    "room_behind",
    "room_for_messages",
    "room_for_prompt",
    "tighter",
    "window_for",
]


class ContextExceeded(BadRequest):
    """The prompt does not fit into the model's context window."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


def window_for(call: Call, model: str) -> int | None:
    """The context window of ``model`` in tokens; None if the plan has none for it."""
    return None if call.tokens is None else window_of(call.tokens.windows, model)


def tighter(limit: int | None, room: int | None) -> int | None:
    """The smaller one of two bounds, of which None is none."""
    if limit is None or room is None:
        return room if limit is None else limit
    return min(limit, room)


def room_for_messages(call: Call, model: str, read: int, most: int | None) -> int | None:
    """The rest of the window behind messages of ``read`` tokens; None if there is no window.

    ContextExceeded if they do not fit together with the ``most`` tokens that were asked for.
    """
    window = window_for(call, model)
    if window is None or read + (most or 0) <= window:
        return None if window is None else window - read
    if most is None:
        message = (
            f"This model's maximum context length is {window} tokens. However, your messages "
            f"resulted in {read} tokens. Please reduce the length of the messages."
        )
    else:
        message = (
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{read + most} tokens ({read} in the messages, {most} in the completion). Please "
            "reduce the length of the messages or completion."
        )
    raise _exceeded(message, "messages", window, read, most)


def room_for_prompt(call: Call, model: str, read: int, most: int) -> int | None:
    """The same for a prompt that is one text."""
    window = window_for(call, model)
    if window is None or read + most <= window:
        return None if window is None else window - read
    message = (
        f"This model's maximum context length is {window} tokens, however you requested "
        f"{read + most} tokens ({read} in your prompt; {most} for the completion). Please reduce "
        "your prompt; or completion length."
    )
    raise _exceeded(message, None, window, read, most)


def room_behind(call: Call, model: str, read: int) -> int | None:
    """The rest of the window where only the prompt has to fit (ContextExceeded)."""
    window = window_for(call, model)
    if window is not None and read > window:
        raise prompt_too_long(window, read)
    return None if window is None else window - read


def prompt_too_long(window: int, read: int) -> ContextExceeded:
    """A prompt of ``read`` tokens is longer than the window, whatever was asked for."""
    message = (
        "Your input exceeds the context window of this model. Please adjust your input and try "
        "again."
    )
    return _exceeded(message, "input", window, read, None)


def _exceeded(
    message: str, param: str | None, window: int, read: int, most: int | None
) -> ContextExceeded:
    return ContextExceeded(
        ContextLengthError(
            message=message,
            type="invalid_request_error",
            code="context_length_exceeded",
            param=param,
            tokens_max=window,
            tokens=read,
            completion=most or 0,
        )
    )
