"""Arguments and formats that fit a JSON Schema, and calls that a request insists on."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.json_fitting import fitting
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import Prompt, Reply, ToolOffer
from chaoscheck.server.apis.tool_calls import calls_of, forced_call, text_that_fits
from chaoscheck.server.apis.tool_offers import offered

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LOOP = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
PERSON = {
    "$defs": {"name": {"type": "string", "maxLength": 2}},
    "type": "object",
    "properties": {"name": {"$ref": "#/$defs/name"}, "age": {"type": "integer", "minimum": 18}},
    "required": ["name", "age"],
}


def prompt(*must_call: str, offer: bool = True) -> Prompt:
    """A prompt that offers one tool, f."""
    tools = (ToolOffer(name="f", parameters=CITY),) if offer else ()
    return Prompt(text="hi", model="m", key="k", attempt=1, tools=tools, must_call=must_call)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {}),
        (CITY, {"city": "hi"}),
        (PERSON, {"name": "hi", "age": 18}),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}, "minProperties": 1},
            {"a": None},
        ),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"type": "array", "prefixItems": [{"const": 1}], "minItems": 2}, [1, "hi"]),
        ({"type": "array", "items": {}}, []),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": None}, None),
        ({"type": ["string", "null"]}, "hi"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 0),
        ({"allOf": [CITY, {"required": ["city"], "properties": {"x": {}}}]}, {"city": "hi"}),
        ({"type": "string", "minLength": 4}, "hiaa"),
        ({"type": "string", "maxLength": 1}, "h"),
        ({"type": "string", "format": "date"}, "2000-01-01"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "AAA"),
        ({"type": "string", "pattern": "("}, "hi"),
        ({"type": "string", "pattern": "^none of ours$"}, "hi"),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMinimum": 7, "multipleOf": 5}, 10),
        ({"type": "integer", "minimum": 0.5}, 1),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": 1, "multipleOf": 0.25}, 1),
        ({"type": "number", "multipleOf": 0}, 0),
        ({"properties": {"a": {}}}, {}),
        ({"type": "no such type"}, None),
        ({"$ref": "#/nowhere"}, {}),
    ],
)
def test_a_value_is_made_to_fit(schema: object, value: object) -> None:
    """The smallest that the schema takes, with the text where a string may be any."""
    assert value == fitting(schema, "hi")


@pytest.mark.parametrize("schema", [LOOP, {"$ref": "#"}, {"allOf": [{"$ref": "#"}] * 3}])
def test_a_schema_that_holds_itself_comes_to_an_end(schema: object) -> None:
    """No schema keeps the server busy for ever."""
    assert isinstance(fitting(schema, "hi"), dict)


def test_what_a_schema_can_cost_is_bounded() -> None:
    """A schema of a few bytes does not demand a gigabyte."""
    huge = {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9}}

    assert len(json.dumps(fitting(huge, "hi"))) < 100_000


def of_bounds(kind: str, low: str, high: str, values: st.SearchStrategy[int]) -> Any:
    """Schemas of a type that a lower and an upper end may bound."""
    bounds = st.tuples(values, st.integers(0, 6), st.sampled_from(["", low, high, "both"]))
    return bounds.map(
        lambda drawn: {
            "type": kind,
            **({low: drawn[0]} if drawn[2] in (low, "both") else {}),
            **({high: drawn[0] + drawn[1]} if drawn[2] in (high, "both") else {}),
        }
    )


def of_parts(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas that consist of schemas."""
    objects = st.dictionaries(st.sampled_from("abc"), inner, max_size=3).flatmap(
        lambda properties: st.lists(st.sampled_from([*properties, "x"]), unique=True).map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": required,
            }
        )
    )
    arrays = st.tuples(inner, st.integers(0, 3)).map(
        lambda drawn: {"type": "array", "items": drawn[0], "minItems": drawn[1]}
    )
    choices = st.lists(inner, min_size=1, max_size=3)
    return objects | arrays | choices.map(lambda every: {"anyOf": every})


schemas = st.recursive(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": [1]}, {"enum": ["a", 2]}])
    | of_bounds("integer", "minimum", "maximum", st.integers(-5, 5))
    | of_bounds("integer", "exclusiveMinimum", "maximum", st.integers(-5, 5)).filter(
        lambda schema: schema.get("exclusiveMinimum") != schema.get("maximum")
    )
    | of_bounds("number", "minimum", "exclusiveMaximum", st.integers(-5, 5)).filter(
        lambda schema: schema.get("minimum") != schema.get("exclusiveMaximum")
    )
    | of_bounds("string", "minLength", "maxLength", st.integers(0, 5)),
    of_parts,
    max_leaves=6,
)


@settings(max_examples=60)
@given(schemas)
def test_what_is_made_fits_by_the_judgement_of_jsonschema(schema: Any) -> None:
    """A validator of somebody else's agrees, whatever the schema is composed of."""
    jsonschema.Draft202012Validator(schema).validate(fitting(schema, "hi"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["object", "array", "#"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "items", "properties", "required", "anyOf", "$ref", "minItems"]
            )
            | st.sampled_from(["enum", "allOf", "pattern", "minimum", "multipleOf", "maxLength"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(json_values)
@settings(max_examples=40)
def test_what_is_no_schema_is_met_as_far_as_possible(schema: Any) -> None:
    """Any JSON may stand where a schema should: the answer is JSON again, always the same."""
    value = fitting(schema, "hi")

    assert json.loads(json.dumps(value, allow_nan=False)) == fitting(schema, "hi")


def test_a_call_is_made_where_one_is_demanded() -> None:
    """A speaker that only talks is given the call that I insisted on; its strings are my text."""
    expected = ToolCall(name="f", arguments='{"city":"hi"}')

    assert expected == forced_call(prompt("f"))
    assert (expected,) == calls_of(prompt("f"), Reply(text="hi"))


def test_a_speaker_may_talk_where_no_call_is_demanded() -> None:
    """Offering a tool alone calls nothing; what a speaker calls stands."""
    own = ToolCall(name="f", arguments="{}")

    assert () == calls_of(prompt(), Reply(text="hi"))
    assert (own,) == calls_of(prompt("f"), Reply(text="", tool_calls=(own,)))
    assert () == calls_of(prompt(offer=False), Reply(text="", tool_calls=(own,)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hi", '{"city":"hi"}'),
        ('{"city": "Oslo"}', '{"city": "Oslo"}'),
        ('{"town": "Oslo"}', '{"city":"{\\"town\\": \\"Oslo\\"}"}'),
        ("[1]", '{"city":"[1]"}'),
    ],
)
def test_a_text_becomes_an_object_of_the_format(text: str, said: str) -> None:
    """A JSON object that has what is required is said as it is; all else goes into one."""
    assert said == text_that_fits(text, CITY)


def tool(name: str = "f", **members: object) -> dict[str, object]:
    """A function as chat completions nest it."""
    return {"type": "function", "function": {"name": name, **members}}


CUSTOM = {"type": "custom", "custom": {"name": "x", "format": {"type": "text"}}}
GRAMMAR = {"type": "custom", "custom": {"name": "x", "format": {"type": "grammar"}}}


@pytest.mark.parametrize(
    ("choice", "names", "must_call"),
    [
        (None, ["f", "g", "x"], ()),
        ("auto", ["f", "g", "x"], ()),
        ("none", [], ()),
        ("required", ["f", "g", "x"], ("f", "g", "x")),
        ({"type": "function", "function": {"name": "g"}}, ["f", "g", "x"], ("g",)),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("g")]}},
            ["g"],
            ("g",),
        ),
        ({"type": "custom", "custom": {"name": "x"}}, ["f", "g", "x"], ("x",)),
    ],
)
def test_a_choice_says_what_has_to_be_called(
    choice: object, names: list[str], must_call: tuple[str, ...]
) -> None:
    """Every form of tool_choice means what it means at the real provider."""
    asked = {"tools": [tool("f"), tool("g"), CUSTOM], "tool_choice": choice}

    found = offered(asked, nested=True)

    assert (names, must_call) == ([each.name for each in found.tools], found.must_call)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [GRAMMAR]}, "tools[0].custom.format.type"),
        ({"tools": [tool()], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        (
            {"tools": [tool()], "tool_choice": {"type": "custom", "custom": {"name": "f"}}},
            "tool_choice",
        ),
        ({"tools": [tool(), {"type": "function", "function": {}}]}, "tools[1].function.name"),
        ({"tools": [tool("a b")]}, "tools[0].function.name"),
        ({"tools": [tool(parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [tool()] * 129}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": 1}, "tool_choice"),
        (
            {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
        ),
        (
            {"tools": [tool()], "tool_choice": {"type": "function"}},
            "tool_choice.function.name",
        ),
        (
            {"tools": [tool()], "tool_choice": {"type": "allowed_tools"}},
            "tool_choice.allowed_tools.mode",
        ),
    ],
)
def test_malformed_tools_are_refused_by_name(asked: dict[str, object], param: str) -> None:
    """My mistake is named, down to the member."""
    with pytest.raises(BadRequest) as caught:
        offered(asked, nested=True)

    assert param == caught.value.error.param


SEARCH = {"type": "web_search"}
FLAT = {"type": "function", "name": "f"}


@pytest.mark.parametrize(
    ("tools", "choice", "must_call"),
    [
        ([SEARCH, FLAT], "auto", ()),
        ([SEARCH, FLAT], "required", ("f",)),
        ([SEARCH], "auto", ()),
        ([SEARCH], "required", None),
        ([SEARCH, FLAT], {"type": "web_search"}, None),
        ([SEARCH, FLAT], {"type": "allowed_tools", "mode": "required", "tools": [SEARCH]}, None),
        ([SEARCH, FLAT], {"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}, ()),
        ([{"type": "custom", "name": "x"}], {"type": "custom", "name": "x"}, ("x",)),
    ],
)
def test_a_tool_that_runs_at_the_provider_cannot_be_demanded(
    tools: list[object], choice: object, must_call: tuple[str, ...] | None
) -> None:
    """It may be offered, as a model may call none; where it has to be called, that is refused."""
    asked = {"tools": tools, "tool_choice": choice}
    if must_call is not None:
        assert must_call == offered(asked, nested=False).must_call
        return
    with pytest.raises(BadRequest, match="Hosted tool 'web_search' is not supported"):
        offered(asked, nested=False)


def test_a_speaker_calls_what_has_to_be_called_and_nothing_else() -> None:
    """A recorded call of another tool does not stand in for the one that I chose."""
    tools = tuple([ToolOffer(name=name, parameters=CITY) for name in "fg"])
    chosen = prompt("g")._replace(tools=tools)
    reply = Reply(text="", tool_calls=(ToolCall(name="f", arguments="{}"),))

    assert (ToolCall(name="g", arguments='{"city":"hi"}'),) == calls_of(chosen, reply)
