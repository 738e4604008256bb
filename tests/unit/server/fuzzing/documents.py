"""Bodies for a fuzzer: what clients send, with some parts made odd.

A body is a function of its ``Choices``. Parts are replaced by what has broken servers before:
numbers at the ends of their types, what is empty, deep, long, or of another type.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from chaoscheck.world.choices import Choices

__all__ = ["ODD_VALUES", "body_of", "odd_body"]

_TOOL_SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]+$"},
        "days": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 1},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
        "kind": {"enum": ["a", "b"]},
        "any": {"anyOf": [{"type": "null"}, {"type": "number", "exclusiveMinimum": 0}]},
    },
    "required": ["city", "days", "tags", "kind", "any"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "string", "format": "date"}},
}
_FUNCTION = {"name": "weather", "description": "d", "parameters": _TOOL_SCHEMA, "strict": True}
_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
_TOOL_USE = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "x"}}
_TOOL_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "x"}'},
}

# One document for each way to ask, by the word in the path that it is sent to.
_GOOD: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {"model": "m", "messages": [{"role": "user", "content": "hello to you"}]},
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "one two three four"}]},
                {"role": "assistant", "content": None, "tool_calls": [_TOOL_CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_completion_tokens": 3,
            "n": 2,
            "stop": ["four"],
            "temperature": 0.5,
            "seed": 7,
            "logprobs": True,
            "top_logprobs": 2,
            "logit_bias": {"50256": -100},
        },
        {
            "model": "m",
            "messages": [{"role": "user", "content": "call it"}],
            "tools": [{"type": "function", "function": _FUNCTION}],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "stream": True,
        },
        {
            "model": "m",
            "messages": [{"role": "user", "content": "as JSON"}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "s", "schema": _TOOL_SCHEMA, "strict": True},
            },
            "max_tokens": 100,
            "options": {"num_predict": 3, "temperature": 0.1},
            "format": "json",
        },
        {
            "model": "m",
            "messages": [{"role": "user", "content": "the old way"}],
            "functions": [_FUNCTION],
            "function_call": {"name": "weather"},
        },
    ],
    "messages": [
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]},
        {
            "model": "m",
            "max_tokens": 2048,
            "system": [
                {"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}
            ],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "look"}, _IMAGE]},
                {"role": "assistant", "content": [_TOOL_USE]},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "rain"}],
                },
            ],
            "tools": [{"name": "weather", "input_schema": _TOOL_SCHEMA}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "stop_sequences": ["rain"],
            "stream": True,
            "temperature": 0.5,
            "top_k": 5,
            "top_p": 0.9,
            "metadata": {"user_id": "u"},
        },
        {
            "model": "m",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": "think"}],
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "stream": True,
        },
        {
            "model": "m",
            "max_tokens": 99,
            "messages": [{"role": "user", "content": "as JSON"}],
            "output_config": {"format": {"type": "json_schema", "schema": _TOOL_SCHEMA}},
        },
    ],
    "responses": [
        {"model": "m", "input": "hello to you"},
        {
            "model": "m",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "one two three"}]},
                {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "rain"},
            ],
            "instructions": "be brief",
            "stream": True,
            "max_output_tokens": 16,
            "temperature": 1,
            "tools": [{"type": "function", **_FUNCTION}],
            "tool_choice": {"type": "function", "name": "weather"},
            "metadata": {"a": "b"},
            "reasoning": {"effort": "low", "summary": "auto"},
            "store": True,
            "previous_response_id": "resp_000001",
            "truncation": "auto",
        },
        {
            "model": "m",
            "input": "as JSON",
            "text": {"format": {"type": "json_schema", "name": "s", "schema": _TOOL_SCHEMA}},
            "background": False,
        },
    ],
    "embed": [
        {"model": "m", "input": "hello"},
        {
            "model": "text-embedding-3-small",
            "input": ["a", "b c"],
            "dimensions": 8,
            "encoding_format": "base64",
            "user": "u",
        },
        {"model": "m", "input": [[1, 2, 3], [4]], "encoding_format": "float", "dimensions": 3},
        {"content": {"parts": [{"text": "hello"}]}, "outputDimensionality": 8},
    ],
    "generateContent": [
        {
            "contents": [{"role": "user", "parts": [{"text": "hello to you"}]}],
            "systemInstruction": {"parts": [{"text": "be brief"}]},
            "generationConfig": {
                "maxOutputTokens": 9,
                "temperature": 0.5,
                "candidateCount": 2,
                "stopSequences": ["you"],
                "responseMimeType": "application/json",
                "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
            },
            "tools": [{"functionDeclarations": [{"name": "weather", "parameters": _TOOL_SCHEMA}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        }
    ],
    "": [
        {
            "model": "m",
            "prompt": ["one two", "three"],
            "suffix": "x",
            "n": 2,
            "best_of": 2,
            "echo": True,
            "logprobs": 2,
            "max_tokens": 5,
            "stream": True,
        },
        {"model": "m", "input": ["bad words", {"type": "text", "text": "more"}]},
        {
            "input_file_id": "file-1",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "requests": [{"custom_id": "a", "params": {"model": "m", "max_tokens": 9}}],
        },
        {"seed": 1, "rates": {"status_429": 0.01}, "replies": {"mode": "echo"}},
        {"faults": ["status_500", "slow_drip(delay_s=0.01)"]},
        {
            "bursts": [{"fault": "status_503", "every_s": 60, "lasts_s": 1, "rate": 0.1}],
            "limits": [{"kind": "token_bucket", "rate_per_s": 1000, "burst": 1000}],
            "outages": [{"from_s": 900, "until_s": 901}],
        },
    ],
}
_WORDS = [word for word in _GOOD if word]


def _deep(depth: int) -> Any:
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


# What JSON cannot say, or Python cannot write, is put in as text once the body is written.
_RAW = {
    "\x01huge\x01": b"1e400",
    "\x01digits\x01": b"9" * 5_000,
    "\x01surrogate\x01": b'"\\ud800"',
    "\x01zero\x01": b'"\\u0000"',
}

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    0.5,
    -0.0,
    128,
    2**31 - 1,
    2**31,
    2**63 - 1,
    -(2**63),
    2**64,
    10**400,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "user",
    "assistant",
    "json_schema",
    "auto",
    "required",
    "status_429(retry_after_s=1e308)",
    "/etc/passwd",
    "(a?){50}a{50}",
    "#/$defs/x",
    "\u2028\u00e9\U0001f600",
    "word " * 400,
    "x" * 20_000,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": {}},
    {"type": "text", "text": "t"},
    {"type": "text"},
    {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    {"type": "number", "multipleOf": 5e-324},
    {"minimum": 2**70, "maximum": -(2**70), "type": ["integer", "null"]},
    {"required": [[], {}, None, 1], "properties": []},
    {"type": "array", "minItems": 10**9, "items": {"type": "string"}},
    ["a"] * 300,
    _deep(30),
    _deep(99),
    _deep(300),
    *_RAW,
)


def body_of(path: str, choices: Choices) -> Any:
    """A document such as a client sends to ``path``."""
    fitting = [word for word in _WORDS if word.lower() in path.lower()]
    word = fitting[0] if fitting else ""
    if choices.pick("another document", 12) == 1:
        word = _WORDS[choices.pick("of", len(_WORDS))]
    documents = _GOOD[word]
    document = documents[choices.pick("document", len(documents))]
    return json.loads(json.dumps(document))


def odd_body(document: Any, choices: Choices) -> bytes:
    """The document with up to four parts made odd, as JSON."""
    for _ in range(choices.pick("oddities", 5)):
        _make_odd(document, choices)
    return _written(document)


def _written(document: Any) -> bytes:
    text = json.dumps(document).encode()
    for mark, raw in _RAW.items():
        text = text.replace(json.dumps(mark).encode(), raw)
    return text


def _make_odd(document: Any, choices: Choices) -> None:
    places = list(_places(document))
    if not places:
        return
    holder, key = places[choices.pick("place", len(places))]
    _ODDITIES[choices.pick("oddity", len(_ODDITIES))](holder, key, choices)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (list or object, index or key) within a value, the outermost first."""
    found: list[tuple[Any, Any]] = []
    left = [value]
    while left and len(found) < 300:
        holder = left.pop(0)
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                left.append(holder[key])
    return found


def _odd(choices: Choices) -> Any:
    return copy.deepcopy(ODD_VALUES[choices.pick("value", len(ODD_VALUES))])


def _replace(holder: Any, key: Any, choices: Choices) -> None:
    holder[key] = _odd(choices)


def _stretch(holder: Any, key: Any, choices: Choices) -> None:
    """Another value of the same type, which gets past a look at types."""
    value = holder[key]
    alike = [odd for odd in ODD_VALUES if _kind(odd) is _kind(value)]
    holder[key] = copy.deepcopy(alike[choices.pick("value", len(alike))])


def _kind(value: Any) -> type:
    return float if isinstance(value, int | float) else type(value)


def _remove(holder: Any, key: Any, choices: Choices) -> None:
    del holder[key]


def _wrap(holder: Any, key: Any, choices: Choices) -> None:
    holder[key] = [holder[key]] if choices.pick("wrap", 2) else {"value": holder[key]}


def _repeat(holder: Any, key: Any, choices: Choices) -> None:
    if isinstance(holder[key], list | str):
        holder[key] = holder[key] * (2 + choices.pick("times", 40))


def _add(holder: Any, key: Any, choices: Choices) -> None:
    name = _NAMES[choices.pick("name", len(_NAMES))]
    if isinstance(holder, dict):
        holder[name] = _odd(choices)
    else:
        holder.append({name: _odd(choices)})


_ODDITIES: tuple[Callable[[Any, Any, Choices], None], ...] = (
    _replace,
    _replace,
    _stretch,
    _stretch,
    _stretch,
    _add,
    _add,
    _remove,
    _wrap,
    _repeat,
)


def _names() -> list[str]:
    names: set[str] = set()
    for documents in _GOOD.values():
        for document in documents:
            names.update([key for _, key in _places(document) if isinstance(key, str)])
    return sorted(names)


_NAMES = _names()
