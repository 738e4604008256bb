"""Agents that take a broken call of a tool wrongly, each as one fault brings to light."""

from __future__ import annotations

import json
from typing import Any

from chaoscheck import Fault
from chaoscheck.plan import catalogue as faults
from tests.quality.one_fault_bug import OneFaultBug
from tests.quality.tool_agent import AgentMachine, BadCall, ToolAgent

__all__ = ["TOOL_BUGS"]

_LAWS = ("each_question_runs_the_tool_once_as_it_was_meant",)


class TrustsTheReason(ToolAgent):
    """Breaks "whatever it says of its end": calls count only if the reason names them."""

    def calls_of(self, choice: dict[str, Any]) -> list[dict[str, Any]]:
        return super().calls_of(choice) if choice["finish_reason"] == "tool_calls" else []

    def demands_a_call(self, choice: dict[str, Any]) -> bool:
        return bool(choice["finish_reason"] == "tool_calls")


class PassesAnything(ToolAgent):
    """Breaks "refuse extra arguments"."""

    def check_names(self, arguments: dict[str, Any]) -> None:
        if not {"city", "days"} <= set(arguments):
            raise BadCall(arguments)


class PassesAnyType(ToolAgent):
    """Breaks "refuse values of other types"."""

    def check_types(self, arguments: dict[str, Any]) -> None:
        return


class RunsWithLess(ToolAgent):
    """Breaks "refuse missing arguments", unless all of them are."""

    def check_names(self, arguments: dict[str, Any]) -> None:
        if not arguments or not set(arguments) <= {"city", "days"}:
            raise BadCall(arguments)


class TakesNothingForNone(ToolAgent):
    """Breaks "BadCall for what is no JSON": an empty text is a call without arguments."""

    def read(self, function: dict[str, Any]) -> tuple[str, Any]:
        return (function["name"], {}) if function["arguments"] == "" else super().read(function)


class TakesJsonForAnObject(ToolAgent):
    """Breaks "refuse arguments that do not fit": JSON is taken for an object."""

    def check(self, arguments: Any) -> None:
        if set(arguments.keys()) != {"city", "days"}:
            raise BadCall(arguments)
        super().check(arguments)


class TakesArgumentsForText(ToolAgent):
    """Breaks "BadCall for what is no text": JSON is read from whatever is there."""

    def parse(self, said: Any) -> Any:
        try:
            return json.loads(said)
        except ValueError:
            raise BadCall(said) from None


class TakesTextForJson(ToolAgent):
    """Breaks "BadCall for what is no text with JSON": a syntax error ends the agent."""

    def parse(self, said: Any) -> Any:
        if not isinstance(said, str):
            raise BadCall(said)
        return json.loads(said)


class TakesWhatIsWhole(ToolAgent):
    """Breaks "BadCall for what is no JSON": what breaks off is a call with what came whole."""

    def read(self, function: dict[str, Any]) -> tuple[str, Any]:
        said = function["arguments"]
        if isinstance(said, str) and said[:1] == "{" and said[-1:] != "}":
            return function["name"], {}
        return super().read(function)


class RunsAnyTool(ToolAgent):
    """Breaks "refuse a tool that was not offered"."""

    def check_tool(self, name: str) -> None:
        return


class RunsTwice(ToolAgent):
    """Breaks "each run once, however often it was called"."""

    def once(self, runs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return runs


class ExpectsCalls(ToolAgent):
    """Breaks "the calls of a choice": a reason that names calls is taken for calls."""

    def calls_of(self, choice: dict[str, Any]) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = choice["message"]["tool_calls"]
        return calls


def _bug(
    fault: type[Fault],
    agent: type[ToolAgent],
    *,
    laws: tuple[str, ...] = _LAWS,
    also: tuple[str, ...] = (),
) -> OneFaultBug:
    what = (agent.__doc__ or "").strip()
    parts = {"__doc__": what, "faults": (fault,), "agent_type": agent}
    return OneFaultBug(
        name=f"{fault.name.replace('_', '-')}-is-taken-wrongly",
        what=what,
        machine=type(f"{fault.__name__}Alone", (AgentMachine,), parts),
        sound=AgentMachine,
        laws=laws,
        smallest_known_steps=2,
        budget=30,
        shows=(f"{fault.name}(",),
        fault=fault,
        also=also,
    )


TOOL_BUGS: tuple[OneFaultBug, ...] = (
    _bug(faults.wrong_finish_reason, TrustsTheReason),
    _bug(faults.extra_tool_argument, PassesAnything),
    _bug(faults.mistyped_tool_arguments, PassesAnyType),
    _bug(faults.missing_tool_argument, RunsWithLess),
    _bug(faults.empty_tool_arguments, TakesNothingForNone),
    _bug(faults.double_encoded_tool_arguments, TakesJsonForAnObject, laws=("AttributeError",)),
    _bug(faults.unencoded_tool_arguments, TakesArgumentsForText, laws=("TypeError",)),
    _bug(
        faults.malformed_tool_arguments,
        TakesTextForJson,
        laws=("JSONDecodeError",),
        # All three are no JSON, and what becomes of it is the same.
        also=("empty_tool_arguments", "truncated_tool_arguments"),
    ),
    _bug(faults.truncated_tool_arguments, TakesWhatIsWhole),
    _bug(faults.unknown_tool, RunsAnyTool),
    _bug(faults.duplicate_tool_call, RunsTwice),
    _bug(faults.missing_tool_call, ExpectsCalls, laws=("KeyError",)),
)
