"""What a request of Anthropic's Messages API holds, or what is wrong with it.

Errors are worded as that API words them: the place, a colon, what was expected there (Anthropic's
API reference, "Messages" and "Errors"). Tokens are whitespace-separated words, here of the system
prompt, all messages and the offered tools.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from chaoscheck.server.apis.messages.blocks import Turns, text_of_block
from chaoscheck.server.apis.messages.offers import offered_tools, tools_to_call
from chaoscheck.server.apis.messages.options import check_sampling, schema_of
from chaoscheck.server.apis.messages.thinking import NO_THINKING, Thinking, thinking_of
from chaoscheck.server.apis.parameters import INTEGER_MAX
from chaoscheck.server.apis.pieces import words_in
from chaoscheck.server.apis.request_body import BadRequest, echo_of, json_of
from chaoscheck.server.apis.speaker import ToolOffer

__all__ = ["Asked", "asked_of", "input_tokens_of"]

_STOPS_MAX = 1_000  # each is looked for in the whole text
_ROLES = ("user", "assistant")
# What most requests ask for is read here; the rest of the parameters only where one of them is.
_USUAL = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "stop_sequences",
        "stream",
        "system",
        "tool_choice",
        "tools",
    }
)


class Asked(NamedTuple):
    """A good request; a named tuple, since every message makes one.

    ``texts`` are all messages as (role, text). ``tools`` are offered, and of ``must_call`` one has
    to be called; ``calls_max`` bounds how many may be called. A text has to fit ``schema``, unless
    that is None, and ``thinking`` comes before it.
    """

    model: str
    max_tokens: int
    texts: list[tuple[str, str]]
    input_tokens: int
    streamed: bool
    stop_sequences: tuple[str, ...]
    tools: tuple[ToolOffer, ...] = ()
    must_call: tuple[str, ...] = ()
    calls_max: int | None = None
    schema: Mapping[str, object] | None = None
    thinking: Thinking = NO_THINKING

    @property
    def text(self) -> str:
        """What an echo says: the last user message, else the last message."""
        return echo_of(self.texts)


def asked_of(body: bytes) -> Asked:
    """What a message is asked for; BadRequest if it cannot be answered."""
    asked = _parsed(body)
    model = _model(asked)
    max_tokens = _max_tokens(asked)
    texts = _texts(asked)
    metadata = asked.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise _expected("metadata", "a valid dictionary")
    good = Asked(
        model,
        max_tokens,
        texts,
        _tokens(asked, texts),
        _streamed(asked),
        _stop_sequences(asked),
    )
    if asked.get("tools") is not None or asked.get("tool_choice") is not None:
        tools = offered_tools(asked)
        must_call, calls_max = tools_to_call(asked, tools)
        good = good._replace(tools=tools, must_call=must_call, calls_max=calls_max)
    return good if asked.keys() <= _USUAL else _with_options(good, asked)


def _with_options(good: Asked, asked: Mapping[str, object]) -> Asked:
    check_sampling(asked)
    forced = bool(good.must_call)
    thinking = thinking_of(asked, good.max_tokens, must_call=forced)
    return good._replace(schema=schema_of(asked), thinking=thinking)


def input_tokens_of(body: bytes) -> int:
    """How many tokens a message's input has; BadRequest if it has none that could be counted."""
    asked = _parsed(body)
    _model(asked)
    texts = _texts(asked)
    tools_to_call(asked, offered_tools(asked))
    schema_of(asked)
    return _tokens(asked, texts)


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        asked = json_of(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise BadRequest(f"The request body is not valid JSON: {reason}") from None
    if not isinstance(asked, dict):
        raise BadRequest("The request body must be a JSON object: Input should be an object")
    return asked


def _expected(where: str, what: str) -> BadRequest:
    return BadRequest(f"{where}: Input should be {what}", where)


def _required(where: str) -> BadRequest:
    return BadRequest(f"{where}: Field required", where)


def _model(asked: Mapping[str, object]) -> str:
    model = asked.get("model")
    if model is None:
        raise _required("model")
    if not isinstance(model, str):
        raise _expected("model", "a valid string")
    if not model:
        raise BadRequest("model: String should have at least 1 character", "model")
    return model


def _max_tokens(asked: Mapping[str, object]) -> int:
    wanted = asked.get("max_tokens")
    if wanted is None:
        raise _required("max_tokens")
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise _expected("max_tokens", "a valid integer")
    if wanted < 1:
        raise _expected("max_tokens", "greater than or equal to 1")
    if wanted > INTEGER_MAX:
        raise BadRequest(
            f"max_tokens: {str(wanted)[:40]} > {INTEGER_MAX}, which is the maximum allowed number"
            " of output tokens for this model",
            "max_tokens",
        )
    return wanted


def _streamed(asked: Mapping[str, object]) -> bool:
    streamed = asked.get("stream")
    if streamed is None or isinstance(streamed, bool):
        return bool(streamed)
    raise _expected("stream", "a valid boolean")


def _stop_sequences(asked: Mapping[str, object]) -> tuple[str, ...]:
    sequences = asked.get("stop_sequences")
    if sequences is None:
        return ()
    if not isinstance(sequences, list):
        raise _expected("stop_sequences", "a valid list")
    if len(sequences) > _STOPS_MAX:
        raise BadRequest(
            f"stop_sequences: List should have at most {_STOPS_MAX} items after validation, not "
            f"{len(sequences)}",
            "stop_sequences",
        )
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise _expected(f"stop_sequences.{index}", "a valid string")
        if not sequence.strip():
            raise BadRequest(
                "stop_sequences: each stop sequence must contain non-whitespace", "stop_sequences"
            )
    return tuple(sequences)


def _texts(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    messages = asked.get("messages")
    if messages is None:
        raise _required("messages")
    if not isinstance(messages, list):
        raise _expected("messages", "a valid list")
    if not messages:
        raise BadRequest("messages: at least one message is required", "messages")
    texts = []
    for message in messages:
        if not _is_plain(message):
            turns = Turns()
            return [_text(f"messages.{at}", each, turns) for at, each in enumerate(messages)]
        texts.append((message["role"], message["content"]))
    return texts


def _is_plain(message: object) -> bool:
    """Whether it is a good message without blocks: most are, and need no second look."""
    return (
        isinstance(message, dict)
        and message.get("role") in _ROLES
        and isinstance(message.get("content"), str)
    )


def _text(where: str, message: object, turns: Turns) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise _expected(where, "a valid dictionary or object")
    role = message.get("role")
    content = message.get("content")
    if role not in _ROLES:
        raise _bad_role(where, role)
    if isinstance(content, str):
        turns.enter(where, role, ())
        return role, content
    if content is None:
        raise _required(f"{where}.content")
    if not isinstance(content, list):
        raise _expected(f"{where}.content", "a valid list")
    text = "".join(
        [text_of_block(f"{where}.content.{at}", block) for at, block in enumerate(content)]
    )
    turns.enter(where, role, content)
    return role, text


def _bad_role(where: str, role: object) -> BadRequest:
    if role is None:
        return _required(f"{where}.role")
    if role == "system":
        return BadRequest(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system`'
            ' parameter, not "system" as an input message role.',
            "messages",
        )
    return _expected(f"{where}.role", "'user' or 'assistant'")


def _tokens(asked: Mapping[str, object], texts: list[tuple[str, str]]) -> int:
    tokens = sum([words_in(text) for _, text in texts])
    system = asked.get("system")
    if system is not None:
        tokens += words_in(_system(system))
    if asked.get("tools"):
        tokens += _words_of_tools(asked["tools"])
    return tokens


def _words_of_tools(tools: object) -> int:
    try:
        return len(json.dumps(tools).split())
    except RecursionError:
        raise BadRequest("tools: nested too deeply", "tools") from None


def _system(system: object) -> str:
    if isinstance(system, str):
        return system
    if not isinstance(system, list):
        raise _expected("system", "a valid string or a list of text blocks")
    for at, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise _expected(f"system.{at}.type", "'text'")
    return " ".join([text_of_block(f"system.{at}", block) for at, block in enumerate(system)])
