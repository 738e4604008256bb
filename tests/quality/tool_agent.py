"""A machine around an agent whose model calls one tool: for bugs that a broken call shows.

The agent asks a chaos server, which calls ``forecast`` for Rome and three days, runs what is called
and is right if it runs just that, once a question, whatever the model made of its call.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import httpx
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, Fault, invariant, rule
from chaoscheck.plan.catalogue import TOOL_FAULTS
from chaoscheck.wire.fast_transport import FastTransport
from tests.contract.tool_clients import CALLING, CHAT_TOOLS

__all__ = ["AgentMachine", "BadCall", "ToolAgent"]

GOOD = {"city": "Rome", "days": 3}
URL = "http://api.test/v1/chat/completions"
_TYPES = {"city": str, "days": int}


class BadCall(Exception):
    """A call that no tool can be run with."""


class ToolAgent:
    """Asks until the model calls well; each method judges one thing that a call may get wrong."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.ran: list[tuple[str, Any]] = []

    async def ask(self, question: str) -> None:
        """Run what the model calls; ask again after a bad call, as often as it takes."""
        body = {"model": "m", "messages": [{"role": "user", "content": question}]}
        while True:
            reply = await self._client.post(URL, json={**body, "tools": CHAT_TOOLS})
            choice = reply.json()["choices"][0]
            try:
                runs = [self.read(call["function"]) for call in self.calls_of(choice)]
            except BadCall:
                continue
            if runs or not self.demands_a_call(choice):
                self.ran += self.once(runs)
                return

    def calls_of(self, choice: dict[str, Any]) -> list[dict[str, Any]]:
        """The calls of a choice, whatever it says of its end."""
        calls: list[dict[str, Any]] = choice["message"].get("tool_calls", [])
        return calls

    def demands_a_call(self, choice: dict[str, Any]) -> bool:
        """Whether an answer without a call is asked for again."""
        return True

    def read(self, function: dict[str, Any]) -> tuple[str, Any]:
        """The tool and its arguments; BadCall if it cannot be run."""
        self.check_tool(function["name"])
        arguments = self.parse(function["arguments"])
        self.check(arguments)
        return function["name"], arguments

    def check_tool(self, name: str) -> None:
        """Refuse a tool that was not offered."""
        if name != "forecast":
            raise BadCall(name)

    def parse(self, said: Any) -> Any:
        """The arguments; BadCall for what is no text with JSON."""
        try:
            return json.loads(said)
        except (TypeError, ValueError):
            raise BadCall(said) from None

    def check(self, arguments: Any) -> None:
        """Refuse arguments that do not fit."""
        if not isinstance(arguments, dict):
            raise BadCall(arguments)
        self.check_names(arguments)
        self.check_types(arguments)

    def check_names(self, arguments: dict[str, Any]) -> None:
        """Refuse missing and extra arguments."""
        if set(arguments) != set(_TYPES):
            raise BadCall(arguments)

    def check_types(self, arguments: dict[str, Any]) -> None:
        """Refuse values of other types."""
        for name, value in arguments.items():
            if not isinstance(value, _TYPES.get(name, object)):
                raise BadCall(arguments)

    def once(self, runs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Each run once, however often it was called."""
        return [run for at, run in enumerate(runs) if run not in runs[:at]]


class AgentMachine(ChaosMachine):
    """Questions and broken calls; whatever happens, the tool runs as the model meant it."""

    faults: ClassVar[tuple[type[Fault], ...]] = TOOL_FAULTS
    agent_type: ClassVar[type[ToolAgent]] = ToolAgent
    set_rate = None

    def setup(self) -> None:
        """The chaos server with its model, and the agent."""
        self.chaos.serve(CALLING)
        self.asked = 0
        self.agent = self.agent_type(httpx.AsyncClient(transport=FastTransport()))

    @rule(count=st.integers(1, 2))
    async def submit(self, count: int) -> None:
        """So many questions, one after the other."""
        for _ in range(count):
            self.asked += 1
            await self.agent.ask(f"question {self.asked}")

    @invariant(at_rest=True)
    def each_question_runs_the_tool_once_as_it_was_meant(self) -> None:
        """Nothing runs that was not offered, not meant, or not whole."""
        assert [("forecast", GOOD)] * self.asked == self.agent.ran
