"""What a request for a completion holds, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.chat.options import include_usage_of, stops_of
from chaoscheck.server.apis.parameters import flag, integer, mapping, number, text, wrong_type
from chaoscheck.server.apis.request_body import BadRequest, model_of, parse

__all__ = ["CompletionAsked", "completion_asked"]

_TOKENS_DEFAULT = 16  # as OpenAI has it: a completion that asks for no more is short
_N_MAX = 128
_BEST_OF_MAX = 20
_LOGPROBS_MAX = 5
_PROMPTS_MAX = 2048
_CHOICES_MAX = 2048
_END_OF_TEXT = "<|endoftext|>"  # what null stands for


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionAsked:
    """A checked request; ``limit`` is in tokens, and each of ``prompts`` is completed ``n`` times.

    ``logprobs`` is how many likeliest tokens are said of each; None says nothing of likelihood.
    """

    model: str
    prompts: tuple[str, ...]
    n: int
    limit: int
    stops: tuple[str, ...]
    echo: bool
    logprobs: int | None
    stream: bool
    include_usage: bool


def completion_asked(body: bytes, of_path: str | None) -> CompletionAsked:
    """Read a request; BadRequest where it is malformed or out of range."""
    asked = parse(body)
    model = model_of(asked, of_path)
    prompts = _prompts(asked)
    number(asked, "temperature", 0, 2)
    number(asked, "top_p", 0, 1)
    number(asked, "presence_penalty", -2, 2)
    number(asked, "frequency_penalty", -2, 2)
    integer(asked, "seed", -(2**63), 2**63 - 1)
    mapping(asked, "logit_bias")
    text(asked, "suffix")
    text(asked, "user")
    stream = flag(asked, "stream")
    n = integer(asked, "n", 1, _N_MAX) or 1
    _check_best_of(asked, n, stream)
    if n * len(prompts) > _CHOICES_MAX:
        message = f"Invalid 'n': at most {_CHOICES_MAX} choices may be asked for at once."
        raise BadRequest(message, "n", "invalid_value")
    limit = integer(asked, "max_tokens", 0, 2**31 - 1)
    return CompletionAsked(
        model=model,
        prompts=prompts,
        n=n,
        limit=_TOKENS_DEFAULT if limit is None else limit,
        stops=stops_of(asked),
        echo=flag(asked, "echo"),
        logprobs=integer(asked, "logprobs", 0, _LOGPROBS_MAX),
        stream=stream,
        include_usage=include_usage_of(asked, stream),
    )


def _check_best_of(asked: Mapping[str, object], n: int, stream: bool) -> None:
    best_of = integer(asked, "best_of", 1, _BEST_OF_MAX)
    if best_of is None:
        return
    if best_of < n:
        message = f"You requested that the server return more choices than it will generate ({n})."
        raise BadRequest(f"{message} 'best_of' must be at least 'n'.", "best_of")
    if stream and best_of > 1:
        raise BadRequest("Only one of 'best_of' above 1 and 'stream' may be set.", "best_of")


def _prompts(asked: Mapping[str, object]) -> tuple[str, ...]:
    given = asked.get("prompt")
    if given is None:
        return (_END_OF_TEXT,)
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list) or not 1 <= len(given) <= _PROMPTS_MAX:
        raise wrong_type("prompt", f"a string or an array of 1 to {_PROMPTS_MAX} items", given)
    if _are_tokens(given):
        return (_of_tokens(given),)
    return tuple([_prompt(item, at) for at, item in enumerate(given)])


def _prompt(item: object, at: int) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, list) and item and _are_tokens(item):
        return _of_tokens(item)
    raise wrong_type(f"prompt[{at}]", "a string or an array of token ids", item)


def _are_tokens(items: list[object]) -> bool:
    return all(isinstance(it, int) and not isinstance(it, bool) and 0 <= it < 2**32 for it in items)


def _of_tokens(tokens: list[object]) -> str:
    # The server's tokens are words, so that the id of another tokenizer's token is one, too.
    return " ".join([str(token) for token in tokens])
