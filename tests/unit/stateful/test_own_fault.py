"""The fault of docs/write-your-own-fault.md, declared by a machine as its reader would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import httpx
from hypothesis import HealthCheck, Phase, settings

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Close, Send, Wait, Wire
from chaoscheck.plan.fault import Fault, require_at_least
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.running import run_machine

SETTINGS = settings(
    max_examples=20,
    stateful_step_count=6,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HeadersThenSilence(Fault):
    """Send the head of the answer, then nothing for ``pause_s`` seconds, then FIN."""

    name: ClassVar[str] = "headers_then_silence"

    pause_s: float = 5.0

    def __post_init__(self) -> None:
        require_at_least(self.name, "pause_s", self.pause_s, 0)

    def applies_to(self, answer: Answer) -> bool:
        """Where something follows the head."""
        return answer.streamed or bool(answer.body)

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The head, the pause, the end."""
        return (Send(wire.head), Wait(self.pause_s), Close())


def test_a_fault_of_ones_own_is_declared_and_hits() -> None:
    """No registration: the class in the machine's ``faults`` is enough."""
    endings: list[tuple[str, float]] = []

    class Asking(ChaosMachine):
        faults: ClassVar[tuple[type[Fault], ...]] = (HeadersThenSilence,)

        def setup(self) -> None:
            self.chaos.serve()

        @rule()
        async def ask(self) -> None:
            began_s = self.world.now
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            async with httpx.AsyncClient(verify=False, timeout=20) as client:
                try:
                    await client.post("http://api.test/v1/chat/completions", json=body)
                except httpx.RemoteProtocolError as error:
                    endings.append((type(error).__name__, self.world.now - began_s))

    run_machine(Asking, SETTINGS)

    assert ("RemoteProtocolError", 5.0) in endings
