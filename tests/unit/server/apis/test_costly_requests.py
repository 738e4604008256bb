"""Requests that are small to send and would be endless to answer: each has a bounded cost.

Without the bound each of these takes minutes or gigabytes, so a broken one is a run that hangs.
"""

from __future__ import annotations

import json

import pytest

from chaoscheck.server.apis.json_fitting import fitting
from chaoscheck.server.apis.messages.request import asked_of
from chaoscheck.server.apis.pattern_cost import searcher_of
from chaoscheck.server.apis.request_body import BadRequest

MANY = [f"name{number}" for number in range(60_000)]
BIG = {"type": "object", "properties": {name: {} for name in MANY}, "required": MANY}


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [BIG, {"required": [*reversed(MANY)]}, BIG]},
        {
            "type": "array",
            "minItems": 2000,
            "items": {"$ref": "#/$defs/big"},
            "$defs": {"big": BIG},
        },
        {"type": "array", "minItems": 2000, "items": {"allOf": [BIG] * 20}},
        {
            "type": "array",
            "minItems": 2000,
            "items": {"$ref": "#/$defs/long"},
            "$defs": {"long": {"const": "x" * 1_000_000}},
        },
        {"type": "array", "minItems": 2000, "items": {"enum": [[["x" * 1_000_000]]]}},
        {"type": "array", "minItems": 2000, "items": {"required": ["y" * 1_000_000]}},
        {"minProperties": 10**15, **BIG},
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}] * 10_000},
    ],
    ids=["merged", "referred", "merged often", "const", "enum", "name", "least", "loop", "fan"],
)
def test_a_schema_makes_no_document_of_more_than_a_few_megabytes(schema: object) -> None:
    """Whatever a schema multiplies, the value stays of a size that can be sent."""
    assert len(json.dumps(fitting(schema, "hello"))) < 3_000_000


def test_a_long_text_is_repeated_only_so_often() -> None:
    """A thousand strings that are each the whole prompt would be a gigabyte."""
    schema = {"type": "array", "minItems": 1000, "items": {"type": "string"}}

    value = fitting(schema, "x" * 1_000_000)

    assert isinstance(value, list)
    assert ["x" * 1_000_000, ""] == [value[0], value[-1]]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a?){50}a{50}",
        "^(a*)*b$",
        "(((a?){9}){9}){9}b",
        "(a|aa)+$" * 20,
        "(?:x?" * 40 + ")?" * 40 + "b",
        "(" * 5_000,
        "a" * 1_000_000,
        "[",
        "(?P<n>a)(?(n)b|c)",
    ],
)
def test_a_pattern_that_backtracks_without_end_is_not_tried(pattern: str) -> None:
    """``(a?){50}`` on eight letters has 500 million ways."""
    assert searcher_of(pattern, 8) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^[A-Z]{3}-\d{4}$", "ABC-1234"),
        (r"^[^@]+@[^@]+\.[a-z]{2,}$", "a@b.cde"),
        (r"^(\d{3})?\s?x*y+$", "xxy"),
        (r"^(?=a)(?!b)[ab]{1,3}(c|d)$", "aac"),
        ("^(foo|bar)+$", "foobar"),
    ],
)
def test_an_ordinary_pattern_is_tried(pattern: str, text: str) -> None:
    """What people write in schemas takes microseconds."""
    search = searcher_of(pattern, 8)

    assert search is not None
    assert search(text)


def _turns(calls: int) -> bytes:
    ids = [f"toolu_{number}" for number in range(calls)]
    used = [{"type": "tool_use", "id": each, "name": "t", "input": {}} for each in ids]
    results = [{"type": "tool_result", "tool_use_id": each} for each in ids]
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": used},
        {"role": "user", "content": results},
    ]
    return json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()


def test_a_turn_of_eight_thousand_calls_is_read_in_one_pass() -> None:
    """Each answer used to be looked for among all open calls: a square."""
    assert 3 == len(asked_of(_turns(8_000)).texts)


def test_stop_sequences_are_bounded() -> None:
    """Each of them is looked for in the whole text."""
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}

    with pytest.raises(BadRequest) as refused:
        asked_of(json.dumps({**body, "stop_sequences": ["a"] * 1_001}).encode())

    assert "at most 1000 items" in refused.value.error.message


def test_an_error_quotes_little_of_the_request() -> None:
    """Errors are cached, so one must not hold a megabyte of what was asked."""
    block = {"type": "tool_result", "tool_use_id": "x" * 1_000_000}
    messages = [{"role": "user", "content": [block]}]

    with pytest.raises(BadRequest) as refused:
        asked_of(json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode())

    assert len(refused.value.error.message) <= 1_000
