"""A reply that cannot be made: the provider's 500, a row in the ledger, and a server that lives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import VIRTUAL, at_rest
from tests.contract.raw_client import RawClient, Seen

# It says little to the sample on which it is tried, and never ends for a prompt that asks for it.
TEMPLATE = (
    "{% if text == 'loop' %}{% for i in range(20000) %}{% for j in range(20000) %}"
    "{% endfor %}{% endfor %}{% endif %}fine"
)
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "loop"}]},
    "/api/v1/chat/completions": {"messages": [{"role": "user", "content": "loop"}]},
    "/openai/v1/chat/completions": {"messages": [{"role": "user", "content": "loop"}]},
    "/v1/responses": {"input": "loop"},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "loop"}]},
}


def _request(path: str, body: dict[str, Any]) -> bytes:
    raw = json.dumps({"model": "m", **body}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"anthropic-version: 2023-06-01\r\ncontent-length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


def _asked(server: ChaosServer, *requests: bytes) -> list[Seen]:
    async def scene(host: str, port: int) -> list[Seen]:
        async with RawClient.connected(host, port) as raw:
            seen = []
            for request in requests:
                await raw.stream.send_all(request)
                seen.append(await raw.look(patience_s=0.1))
        await at_rest(server)
        return seen

    return VIRTUAL.play(server, scene)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", ASKED)
def test_a_template_without_an_end_is_the_providers_500_and_a_row(
    path: str, streamed: bool
) -> None:
    """One prompt meets its template's failure as an error; the next on the connection is fine."""
    server = ChaosServer(FaultPlan(replies=Replies(mode="template", template=TEMPLATE)))
    good = json.loads(json.dumps(ASKED[path]).replace("loop", "hello"))

    failed, fine = _asked(
        server, _request(path, {**ASKED[path], "stream": streamed}), _request(path, good)
    )

    assert b" 500 " in failed.head.split(b"\r\n")[0]
    message = "The template failed: it takes more work than a reply may"
    assert message == json.loads(failed.body)["error"]["message"]
    assert b" 200 " in fine.head.split(b"\r\n")[0]
    assert b"fine" in fine.body
    assert [(500, "SpeechFailed in template replies"), (200, None)] == [
        (each.status, each.error) for each in server.ledger
    ]
