"""The pipeline in virtual time: rows a second with the audit on, the audit's share, one hour."""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import trio

from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audited_calls import judging
from chaoscheck.components.audited_run import (
    AuditedOutputPort,
    create_recorder_and_run,
    process_rows_through_transform,
)
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from cpu_clock import cpu_s
from metric import Metric

ROWS = 600
ROUNDS = 5
# What 350 us a row were where a row without the audit took 350.
AUDIT_RATIO_MAX = 2.0
AGENTS, REQUESTS_EACH, HOUR_S = 5, 600, 3600.0

_SETTINGS = OpenRouterSettings(
    model="test/model", base_url="http://api.test/v1", key_column="text", max_pending=32
)
_BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def row_metrics() -> Iterator[Metric]:
    """Rows a second, and what of a row's cost is the audit's; both kinds of row take turns."""
    pairs = [(_row_s(audited=True), _row_s(audited=False)) for _ in range(ROUNDS)]
    audited_s = statistics.median(audited for audited, _ in pairs)
    bare_s = statistics.median(bare for _, bare in pairs)
    yield Metric(
        name="pipeline rows per CPU second, audit on",
        value=1 / audited_s,
        unit="rows/s",
        target=1000,
        at_least=True,
    )
    yield Metric(
        name="a row with the audit, times one without",
        value=statistics.median(audited / bare for audited, bare in pairs),
        unit="x",
        target=AUDIT_RATIO_MAX,
        at_least=False,
        note=f"{audited_s * 1e6:.0f} us, {bare_s * 1e6:.0f} us",
    )


def hour_metrics() -> Iterator[Metric]:
    """What an hour of virtual time costs."""
    yield Metric(
        name="one simulated hour, 5 agents, 3000 requests",
        value=_hour_s(),
        unit="s",
        target=2.0,
        at_least=False,
    )


def setup_metrics() -> Iterator[Metric]:
    """What an example on kernel TCP costs before its first step."""
    yield Metric(
        name="example set-up (a loopback world)",
        value=_loopback_setup_ms(),
        unit="ms",
        target=1.2,
        at_least=False,
    )


def _row_s(*, audited: bool) -> float:
    """CPU seconds per row through transform, transport, virtual network and chaos server."""
    gc.collect()
    with tempfile.TemporaryDirectory() as folder, VirtualWorld() as world:
        Chaos(world).serve()
        before = cpu_s()
        world.run(_audited if audited else _bare, Path(folder))
        return (cpu_s() - before) / ROWS


def _rows() -> list[dict[str, object]]:
    return [{"text": f"row {number}"} for number in range(ROWS)]


async def _audited(folder: Path) -> None:
    recorder, run_id, node_id = create_recorder_and_run(folder, "openrouter")
    output = AuditedOutputPort(recorder, CollectingOutputPort())
    client = httpx.AsyncClient(transport=AuditedTransport(FastTransport(), recorder))
    async with client, _transform(client, output, recorder) as transform:
        await process_rows_through_transform(transform, recorder, run_id, node_id, _rows(), output)
    recorder.trail.close()


async def _bare(_: Path) -> None:
    client = httpx.AsyncClient(transport=FastTransport())
    async with client, _transform(client, CollectingOutputPort(), None) as transform:
        for row in _rows():
            await transform.accept(row)
        await transform.flush()


def _transform(
    client: httpx.AsyncClient,
    output: AuditedOutputPort | CollectingOutputPort,
    recorder: AuditRecorder | None,
) -> OpenRouterLLMTransform:
    on_attempt = None if recorder is None else judging(recorder)
    executor = PooledExecutor(8, 30.0, on_attempt=on_attempt)
    return OpenRouterLLMTransform(client, output=output, settings=_SETTINGS, executor=executor)


def _hour_s() -> float:
    """CPU seconds of one virtual hour in which five agents ask every six seconds."""
    gc.collect()
    with VirtualWorld() as world:
        server = Chaos(world).serve()
        before = cpu_s()
        agents = [world.start(_agent, number) for number in range(AGENTS)]
        for agent in agents:
            world.run_until(agent)
        took_s = cpu_s() - before
        assert world.now >= HOUR_S - HOUR_S / REQUESTS_EACH
        assert server.ledger.total == AGENTS * REQUESTS_EACH
    return took_s


async def _agent(number: int) -> None:
    async with httpx.AsyncClient(transport=FastTransport()) as client:
        for turn in range(REQUESTS_EACH):
            await trio.sleep_until((turn + number / AGENTS) * HOUR_S / REQUESTS_EACH)
            reply = await client.post("http://api.test/v1/chat/completions", json=_BODY)
            assert reply.status_code == 200


def _loopback_setup_ms() -> float:
    """CPU of opening and closing one loopback world: best of five batches."""
    batches = []
    for _ in range(5):
        gc.collect()
        before = cpu_s()
        for _ in range(100):
            with LoopbackWorld():
                pass
        batches.append((cpu_s() - before) / 100 * 1e3)
    return min(batches)
