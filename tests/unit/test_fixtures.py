"""The fixtures that users get: an audit with a run in it, and a port that collects."""

from __future__ import annotations

from typing import Any

import httpx

from chaoscheck.checks.reconcile import reconcile
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audited_run import AuditedOutputPort, process_rows_through_transform
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort
from chaoscheck.history.audit import audit_history
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.virtual import VirtualWorld


def test_rows_through_the_fixtures_are_collected_and_audited(
    audit: tuple[AuditRecorder, str, str], collecting_output: CollectingOutputPort
) -> None:
    """Three rows, one refusal: every result is collected, and audit and ledger agree."""
    recorder, run_id, node_id = audit
    rows = [{"text": f"row {number}"} for number in range(3)]
    output = AuditedOutputPort(recorder, collecting_output)
    settings = OpenRouterSettings(model="m", base_url="http://api.test/v1")

    async def pipeline() -> Any:
        client = httpx.AsyncClient(transport=AuditedTransport(FastTransport(), recorder))
        async with client, OpenRouterLLMTransform(client, output=output, settings=settings) as done:
            return await process_rows_through_transform(
                done, recorder, run_id, node_id, rows, output
            )

    with VirtualWorld() as world:
        chaos = Chaos(world)
        server = chaos.serve()
        server.next_fault("status_500")
        world.run(pipeline)

    assert [result.content for result in collecting_output.results] == ["row 0", "row 1", "row 2"]
    verdict = reconcile(audit_history(recorder.export()), server.ledger, when="at_rest", rows_in=3)
    assert verdict.ok, str(verdict)
