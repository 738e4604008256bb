"""Fuzzed requests against servers in a virtual world: what may never happen, and whether it did.

Each request has a connection of its own. A finding is an error of the server's own, a 5xx that no
fault explains, or a request that takes more than a second of CPU. An error that gets out of the
server ends the world, and so the run.
"""

from __future__ import annotations

import time  # noqa: TID251 (CPU time tells a hang; no trace depends on it)
from collections.abc import Iterable
from dataclasses import dataclass, field

import trio

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.distributions import Exponential, Uniform
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Quota, TokenLimit, TokenQuota
from chaoscheck.plan.replies import RecordedCall, RecordedReply, Replies
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.settings import ServerSettings
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.server.fuzzing.requests import TOKEN, request_bytes

__all__ = ["MODES", "Findings", "Mode", "fuzz", "sweeping_plan"]

_CPU_MAX_S = 1.0  # of one request
_PATIENCE_S = 0.5  # virtual seconds without a byte, after which a client leaves
_AT_ONCE = 25  # requests until the server goes by its mode's plan again


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A way to serve, by name."""

    name: str
    plan: FaultPlan


def sweeping_plan(seed: int) -> FaultPlan:
    """Every fault at the same rate, with limits: half of the requests meet one."""
    rate = 0.5 / len(faults.FAULTS)
    return FaultPlan.of(
        {kind(): rate for kind in faults.FAULTS},
        seed=seed,
        headers={kind(): 0.05 for kind in faults.HEADER_FAULTS},
        limits=(
            TokenLimit(rate_per_s=1_000, burst=1_000),
            Quota(requests=1_000, every_s=1.0),
            ConcurrencyCap(in_flight=64),
        ),
    )


_RECORDED = Replies(
    mode="recorded",
    tag=True,
    entries=(
        RecordedReply(text="a recorded reply \u00e9 \U0001f600"),
        RecordedReply(text="", tool_calls=(RecordedCall(name="weather", arguments='{"a": 1}'),)),
        RecordedReply(text="", tool_calls=(RecordedCall(name="weather", arguments="{broken"),)),
    ),
)

MODES: tuple[Mode, ...] = (
    Mode(name="echo", plan=FaultPlan()),
    Mode(name="faults", plan=sweeping_plan(1)),
    Mode(
        name="seeded",
        plan=FaultPlan.of(
            replies=Replies(mode="seeded"), aimed=[{"model": "*a*", "first": ["status_429"]}]
        ),
    ),
    Mode(
        name="template",
        plan=FaultPlan(replies=Replies(mode="template", template="{{ model }}: {{ text }}")),
    ),
    Mode(name="recorded", plan=FaultPlan(replies=_RECORDED)),
    Mode(
        name="slow",
        plan=FaultPlan(
            replies=Replies(
                base_latency_s=Uniform(low_s=0.0, high_s=0.01),
                first_token_s=0.01,
                token_s=Exponential(mean_s=0.001),
            )
        ),
    ),
    Mode(
        name="limited",
        plan=FaultPlan.of(
            limits=[TokenQuota(tokens=30, every_s=0.05)],
            context_window={"gpt-*": 12, "*": 40},
        ),
    ),
)


@dataclass(slots=True)
class Findings:
    """What a run came upon; ``answered`` counts answers by status, 0 for none."""

    wrong: list[str] = field(default_factory=list)
    answered: dict[int, int] = field(default_factory=dict)

    def note(self, exchange: Exchange) -> None:
        """An exchange as the ledger has it."""
        status = exchange.status or 0
        self.answered[status] = self.answered.get(status, 0) + 1
        if exchange.error is not None:
            self.wrong.append(f"{exchange.error}, on {exchange.method} {exchange.path[:80]}")
        elif status >= 500 and exchange.fault is None:
            self.wrong.append(f"{status} without a fault on {exchange.path[:80]}")


def fuzz(mode: Mode, numbers: Iterable[int], *, seed: int = 0, path: str | None = None) -> Findings:
    """Send these requests of ``seed`` to a server in this mode, all to ``path`` if it is given."""
    findings = Findings()
    settings = ServerSettings(admin_token=TOKEN, sink=findings.note, ledger_limit=1)
    server = ChaosServer(mode.plan, settings=settings)
    left = list(numbers)
    with VirtualWorld() as world:
        world.network.add_host("api.test")
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        while left:
            now, left = left[:_AT_ONCE], left[_AT_ONCE:]
            requests = [(number, request_bytes(seed, number, path=path)) for number in now]
            world.run(_send_all, requests, findings)
            server.plan = mode.plan  # One of them may have put another.
    return findings


async def _send_all(requests: list[tuple[int, bytes]], findings: Findings) -> None:
    for number, data in requests:
        began_s = time.process_time()
        await _send(data)
        took_s = time.process_time() - began_s
        if took_s > _CPU_MAX_S:
            findings.wrong.append(f"request {number} took {took_s:.1f} s of CPU")


async def _send(data: bytes) -> None:
    stream = await trio.open_tcp_stream("api.test", 80)
    async with stream:
        try:
            await stream.send_all(data)
            await _read(stream)
        except trio.BrokenResourceError:
            pass  # A reset is a fault's, or the end of a connection that we wrote on too long.


async def _read(stream: trio.SocketStream) -> None:
    """Until the answer is whole as far as its length tells, the end comes, or silence."""
    data = b""
    while not _is_whole(data):
        more = b""
        with trio.move_on_after(_PATIENCE_S):
            more = await stream.receive_some()
        if not more:
            return
        data += more


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    if b"\r\ntransfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    _, found, length = head.partition(b"\r\ncontent-length: ")
    return bool(found) and len(body) >= int(length.partition(b"\r\n")[0])
