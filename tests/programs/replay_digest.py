"""Replays one failing story many times and prints the digests of all that happened in it.

Run as ``python -m tests.programs.replay_digest BLOB TIMES``.
"""

from __future__ import annotations

import hashlib
import json
import os
import random  # noqa: TID251  # the world answers it, the same in every replay
import sys
from typing import ClassVar

import httpx
import trio

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.reset_mid_body import ResetMidBody
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.program import Program
from chaoscheck.plan.program_text import from_blob
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.wire.fast_transport import FastTransport

__all__ = ["Tangle", "digest_of"]


class Tangle(ChaosMachine):
    """Everything undetermined at once: faults by rate, latency, cancels, races, chance."""

    faults: ClassVar[tuple[type[Fault], ...]] = (Status429, ResetMidBody)
    cancels: ClassVar[bool] = True
    doubts: ClassVar[tuple[type[Exception], ...]] = (httpx.TransportError,)

    def setup(self) -> None:
        self.chaos.serve()
        self.chaos.set_latency(0.001, 0.05)
        self.chaos.set_rate(faults.status_429(), 0.3)
        self.client = httpx.AsyncClient(transport=FastTransport())
        self.count = 0

    @rule(in_flight=True)
    async def ask(self) -> int:
        seen = self.count
        body = {"model": "m", "messages": [{"role": "user", "content": _word()}]}
        async with httpx.AsyncClient(transport=FastTransport()) as client:
            while True:
                reply = await client.post("http://api.test/v1/chat/completions", json=body)
                if reply.status_code == 200:
                    break
                await trio.sleep(random.uniform(0.1, 1))
        self.count = seen + 1
        return self.count

    @invariant(at_rest=True)
    def every_answer_counts(self) -> None:
        answered = sum(each.status == "ok" for each in self.history)
        assert answered == self.count, f"{answered} answers, {self.count} counted"


def _word() -> str:
    return os.urandom(4).hex()  # noqa: TID251  # answered by the world as well


def digest_of(program: Program) -> str:
    """One digest of the network's trace, the story line by line, and how it failed."""
    run = replay(Tangle, program, aloud=True)
    error = f"{type(run.error).__name__}: {run.error}"
    happened = (run.digest, run.lines, run.in_flight, sorted(run.skipped.items()), error)
    return hashlib.sha256(repr(happened).encode()).hexdigest()


def main(arguments: list[str]) -> None:
    """``BLOB TIMES``: print the set of digests as a JSON list."""
    blob, times = arguments
    program = from_blob(blob)
    print(json.dumps(sorted({digest_of(program) for _ in range(int(times))})))


if __name__ == "__main__":
    main(sys.argv[1:])
