"""Audited calls: whoever was cancelled before it set out leaves no trace, here or on the wire."""

from __future__ import annotations

from pathlib import Path

import httpx
import trio

from chaoscheck.components.audited_calls import auditing
from chaoscheck.components.audited_run import create_recorder_and_run
from chaoscheck.components.audited_transport import AuditedTransport
from tests.unit.components.conftest import Run


class Wire(httpx.AsyncBaseTransport):
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(200)


def test_a_row_that_was_given_up_sets_out_no_more(run: Run, tmp_path: Path) -> None:
    """A call in the instant after an eviction would be a conflict: its row has its outcome."""
    recorder, run_id, node_id = create_recorder_and_run(tmp_path, "test")
    state = recorder.begin_row(run_id, node_id, 0, {"text": "row"})
    wire = Wire()

    async def evicted_before_it_sets_out() -> bool:
        with trio.CancelScope() as scope:
            scope.cancel()
            recorder.evict_row(state)
            with auditing(state):
                await AuditedTransport(wire, recorder).handle_async_request(
                    httpx.Request("POST", "http://api.test/")
                )
        return scope.cancelled_caught

    assert run(evicted_before_it_sets_out)
    assert wire.sent == []
    recorder.close()
