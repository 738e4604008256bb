"""The end of an audited call is written once, and its request is one that any server can read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from chaoscheck import VirtualWorld
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audit_trail import AuditSettings, AuditTrail, WritePoint
from chaoscheck.components.audited_calls import auditing
from chaoscheck.components.audited_transport import AuditedTransport
from properties.test_audited_calls import Server


def test_after_the_end_of_a_call_nothing_more_is_written(tmp_path: Path) -> None:
    """Neither when its body is closed, which every client does, nor when it is closed again."""
    written: list[WritePoint] = []
    settings = AuditSettings(synchronous="OFF", on_write=written.append)
    counts: list[int] = []

    async def call(recorder: AuditRecorder) -> None:
        async with httpx.AsyncClient(transport=AuditedTransport(Server(), recorder)) as client:
            async with client.stream("GET", "http://api.test/") as reply:
                async for _ in reply.aiter_raw():
                    pass
                counts.append(len(written))
            await reply.aclose()
            body: Any = reply.stream
            await body.aclose()
            counts.append(len(written))

    with AuditTrail.create(tmp_path / "audit.db", settings=settings) as trail:
        recorder = AuditRecorder(trail)
        state = recorder.begin_row(*recorder.begin_run("plugin"), 0, {})
        with VirtualWorld() as world, auditing(state):
            world.run(call, recorder)
        [kept] = recorder.export()["calls"]

    assert kept["status"] == "ok"
    assert counts[0] == counts[1]


def test_a_call_has_the_header_that_servers_know(tmp_path: Path) -> None:
    """Its name is a promise to them; a path that is no ASCII is kept as far as it can be read."""
    server = Server()
    headers = httpx.Headers()
    request: Any = SimpleNamespace(
        method="GET", url=SimpleNamespace(raw_path=b"/caf\xe9?q=\xe9"), content=b"", headers=headers
    )

    with AuditTrail.create(tmp_path / "audit.db") as trail:
        recorder = AuditRecorder(trail)
        transport = AuditedTransport(server, recorder)
        state = recorder.begin_row(*recorder.begin_run("plugin"), 0, {})
        with VirtualWorld() as world, auditing(state):
            world.run(transport.handle_async_request, request)
        [kept] = recorder.export()["calls"]

    assert kept["path"] == "/caf\ufffd"
    assert headers["X-Attempt-Id"] == kept["attempt_id"]
