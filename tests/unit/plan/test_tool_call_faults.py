"""Faults of tool calls as values: which call they change, and where they change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.catalogue import TOOL_FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.notation import parse_fault
from chaoscheck.plan.tool_calls import CallEnding, CallForm, ToolCall, ToolCalls

TEXTS = CallForm(passes="text", bare=True, endings=frozenset({"stop", "length"}))
KINDS: dict[str, tuple[type, ...]] = {"city": (str,), "days": (int,), "any": (object,)}


def may_fit(name: str, value: object) -> bool:
    """A tool with two required arguments, one of which is a text and one a number."""
    if name != "forecast" or not isinstance(value, dict):
        return True
    return {"city", "days"} <= set(value) and all(
        isinstance(held, KINDS.get(key, (object,))) for key, held in value.items()
    )


def answer_with(*calls: ToolCall, form: CallForm = TEXTS) -> Answer:
    """An answer that is nothing but its calls: what is said stands in its body."""

    def write(said: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        shown = [(each.name, each.arguments, each.encoding, each.id_suffix) for each in said]
        return Answer(status=200, body=json.dumps([ending, *shown]).encode())

    offered = frozenset({"forecast", "unknown_tool"})
    made = ToolCalls(calls=calls, offered=offered, may_fit=may_fit, form=form, write=write)
    return write(calls, "call")._replace(calls=made, delay_s=2.0)


def forecast(**arguments: object) -> ToolCall:
    """A call of the tool."""
    return ToolCall(name="forecast", arguments=json.dumps(arguments))


def said(fault: Fault, answer: Answer) -> list[Any]:
    """How the answer ends under the fault, and its calls; the fault must apply."""
    assert fault.applies_to(answer)
    struck = fault.on_answer(answer)
    assert answer.delay_s == struck.delay_s
    found: list[Any] = json.loads(struck.body)
    return found


ROME, OSLO = forecast(city="Rome", days=3), forecast(city="Oslo", days=5)
NOW = ToolCall(name="now", arguments="{}")
SHELL = ToolCall(name="shell", arguments="ls größer", custom=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("malformed_tool_arguments(style='xml')", "'trailing_comma'"),
        ("malformed_tool_arguments(call=-1)", ">= 0, got -1"),
        ("truncated_tool_arguments(after_bytes=-1)", ">= 0, got -1"),
        ("truncated_tool_arguments(ending='stop')", "'call', 'length'"),
        ("mistyped_tool_arguments(at=1.5)", "got 1.5"),
        ("missing_tool_argument(at=True)", "got True"),
        ("extra_tool_argument(argument='')", "1 to 64 characters, got ''"),
        ("extra_tool_argument(argument=3)", "got 3"),
        ("unknown_tool(tool='no name')", "got 'no name'"),
        ("unknown_tool(tool='')", "got ''"),
        ("duplicate_tool_call(ids='other')", "'own', 'same'"),
        ("duplicate_tool_call(call=2000000000)", "got 2000000000"),
        ("wrong_finish_reason(reason='tool_calls')", "'stop', 'length'"),
        ("missing_tool_call(call=1)", "legal: none"),
    ],
)
def test_a_parameter_out_of_range_is_refused(text: str, says: str) -> None:
    """The message shows what I wrote and what would be legal."""
    with pytest.raises(PlanError) as refusal:
        parse_fault(text)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("fault", "first", "second"),
    [
        (faults.missing_tool_argument(), '{"days":3}', None),
        (faults.missing_tool_argument(at=1), '{"city":"Rome"}', None),
        (faults.missing_tool_argument(at=9, call=2), None, '{"city":"Oslo"}'),
        (faults.missing_tool_argument(call=9), None, '{"days":5}'),
        # The call in between requires nothing: the next one is changed.
        (faults.missing_tool_argument(call=1), None, '{"days":5}'),
        (faults.mistyped_tool_arguments(), '{"city":42,"days":3}', None),
        (faults.mistyped_tool_arguments(at=1), '{"city":"Rome","days":"3"}', None),
        (faults.truncated_tool_arguments(after_bytes=0), "", None),
        (faults.truncated_tool_arguments(after_bytes=99), '{"city": "Rome", "days": 3', None),
        (faults.empty_tool_arguments(call=2), None, ""),
        (faults.malformed_tool_arguments(), '{"city": "Rome", "days": 3,}', None),
        (
            faults.malformed_tool_arguments(style="single_quotes", call=1),
            None,
            "{'city': 'Oslo', 'days': 5}",
        ),
    ],
    ids=repr,
)
def test_one_call_is_changed_and_the_others_are_not(
    fault: Fault, first: str | None, second: str | None
) -> None:
    """I say which call is broken; what cannot be broken so gives way to the next."""
    ending, *calls = said(fault, answer_with(ROME, NOW, OSLO))

    assert "call" == ending
    expected = [
        ROME.arguments if first is None else first,
        NOW.arguments,
        OSLO.arguments if second is None else second,
    ]
    assert expected == [each[1] for each in calls]


def test_a_character_is_cut_off_whole() -> None:
    """Arguments that break off inside of a character are no text at all."""
    answer = answer_with(SHELL)
    cuts = [said(faults.truncated_tool_arguments(after_bytes=at), answer)[1][1] for at in range(9)]

    assert ["", "l", "ls", "ls ", "ls g", "ls gr", "ls gr", "ls grö", "ls grö"] == cuts


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        (faults.mistyped_tool_arguments(), NOW),
        (faults.missing_tool_argument(), NOW),
        (faults.malformed_tool_arguments(style="single_quotes"), NOW),
        # What breaks a schema already is not broken in a way that could be named.
        (faults.mistyped_tool_arguments(), forecast(city=1, days=2)),
        (faults.missing_tool_argument(), forecast(city="Rome")),
        (faults.extra_tool_argument(), ToolCall(name="forecast", arguments="[1]")),
        (faults.unencoded_tool_arguments(), ToolCall(name="forecast", arguments="no JSON")),
        (faults.double_encoded_tool_arguments(), SHELL),
        (faults.malformed_tool_arguments(), SHELL),
        (faults.empty_tool_arguments(), ToolCall(name="forecast", arguments="")),
        (faults.truncated_tool_arguments(), ToolCall(name="forecast", arguments=" ")),
    ],
    ids=repr,
)
def test_a_fault_that_would_change_nothing_does_not_apply(fault: Fault, call: ToolCall) -> None:
    """It is not counted as injected, and waits for an answer that it can change."""
    answer = answer_with(call)

    assert not fault.applies_to(answer)
    assert answer == fault.on_answer(answer)


@pytest.mark.parametrize("kind", TOOL_FAULTS, ids=lambda kind: kind.name)
def test_an_answer_without_calls_stays_as_it_is(kind: type[Fault]) -> None:
    """Even where a script forces the fault upon it."""
    text = Answer(status=200, body=b"{}")

    assert not kind().applies_to(text)
    assert text == kind().on_answer(text)


def test_an_unknown_tool_is_never_one_that_was_offered() -> None:
    """Nor is an extra argument one that the call has."""
    assert "unknown_tool_" == said(faults.unknown_tool(), answer_with(ROME))[1][0]
    assert "shell" == said(faults.unknown_tool(tool="shell"), answer_with(ROME))[1][0]
    extra = said(faults.extra_tool_argument(argument="city"), answer_with(ROME))[1][1]
    assert {"city": "Rome", "days": 3, "city_": "city_"} == json.loads(extra)


@pytest.mark.parametrize(("ids", "suffix"), [("own", "_again"), ("same", "")])
def test_a_call_is_said_twice_behind_all_others(ids: Any, suffix: str) -> None:
    """With an id of its own, or with the same."""
    fault = faults.duplicate_tool_call(ids=ids)
    _, *calls = said(fault, answer_with(ROME, OSLO))

    assert [ROME.arguments, OSLO.arguments, ROME.arguments] == [each[1] for each in calls]
    assert ["", "", suffix] == [each[3] for each in calls]


@pytest.mark.parametrize(
    ("fault", "form"),
    [
        (faults.duplicate_tool_call(), CallForm(passes="text", calls_max=1)),
        (faults.duplicate_tool_call(ids="same"), CallForm(passes="value", identified=False)),
        (faults.unencoded_tool_arguments(), CallForm(passes="text")),
        (faults.malformed_tool_arguments(), CallForm(passes="value")),
        (faults.truncated_tool_arguments(), CallForm(passes="value")),
        (faults.truncated_tool_arguments(ending="length"), CallForm(passes="text")),
        (faults.wrong_finish_reason(), CallForm(passes="text", endings=frozenset({"length"}))),
    ],
    ids=repr,
)
def test_what_an_api_cannot_say_does_not_apply(fault: Fault, form: CallForm) -> None:
    """A fault does not put onto the wire what no server of that API would."""
    assert not fault.applies_to(answer_with(ROME, form=form))
    assert fault.applies_to(answer_with(ROME))
