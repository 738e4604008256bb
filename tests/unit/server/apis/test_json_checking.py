"""Whether a text is the structured output that a request demands."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chaoscheck.server.apis.json_checking import fits, may_fit
from chaoscheck.server.apis.tool_calls import text_that_fits
from tests.unit.server.apis.test_tool_calls import schemas

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-6, 6) | st.sampled_from(["", "a", "hi", 0.5, 2.0]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcx"), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150)
@example({"const": [1]}, [True])
@example({"enum": [{"a": 1}]}, {"a": 1.0})
@given(schemas, values)
def test_it_judges_as_jsonschema_does(schema: Any, value: Any) -> None:
    """A validator of somebody else's agrees, whatever is judged."""
    expected = jsonschema.Draft202012Validator(schema).is_valid(value)

    assert expected == fits(schema, value)


@pytest.mark.parametrize(
    "schema", [{"pattern": "a"}, {"$ref": "#"}, {"not": {}}, {"$ref": "#/nowhere"}, "no schema"]
)
def test_what_cannot_be_judged_does_not_fit(schema: object) -> None:
    """Then a value is made to fit, which is right in any case."""
    assert not fits(schema, "a")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"city": "Rome"}', True),
        (' {"city": "Rome"} ', True),
        ('{"city": 5}', False),
        ('{"city": "Rome", "more": 1}', False),
        ("{}", False),
        ("[]", False),
        ("{", False),
        ('{"a":' * 5000, False),
        ("Rome", False),
    ],
)
def test_a_text_stays_only_if_it_fits(text: str, kept: bool) -> None:
    """A structured answer is never one that its schema forbids."""
    said = text_that_fits(text, CITY)

    assert kept == (said == text)
    assert fits(CITY, json.loads(said))


@settings(max_examples=150)
@given(schemas, values)
def test_it_says_that_a_value_may_fit_wherever_it_does(schema: Any, value: Any) -> None:
    """What is judged in full is judged the same; what cannot be is given the benefit of doubt."""
    expected = jsonschema.Draft202012Validator(schema).is_valid(value)

    assert may_fit(schema, value) or not expected


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "pattern": "a"}, "b"),
        ({"patternProperties": {"a": {}}, "additionalProperties": False}, {"b": 1}),
        ({"prefixItems": [{}], "items": False}, [1, 2]),
        ({"oneOf": [{"pattern": "a"}, {"pattern": "b"}]}, "c"),
        ({"$ref": "#"}, 1),
        ({"properties": {"a": {"format": "date"}}}, {"a": "no date"}),
    ],
)
def test_what_cannot_be_judged_may_fit(schema: object, value: object) -> None:
    """A fault that needs a value which surely does not fit must not build on a guess."""
    assert may_fit(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "pattern": "a"}, 1),
        ({"properties": {"a": {"type": "string", "format": "date"}}}, {"a": 5}),
        ({"not": {}, "required": ["a"]}, {}),
    ],
)
def test_what_surely_does_not_fit_is_found_beside_it(schema: object, value: object) -> None:
    """A pattern beside a type does not hide the type."""
    assert not may_fit(schema, value)
