"""What each client makes of each fault that strikes a plain answer, equal on both worlds.

The clients: a raw stream, what speaks HTTP (httpx, httpx2), and the SDKs on top of these. Both
worlds run in virtual time; the loopback world carries every byte through the kernel's TCP.
"""

from __future__ import annotations

from collections import Counter

import anthropic
import pytest

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.clients import CLIENTS, TEXT, Outcome
from tests.contract.sights.meeting import heard, meet, names_of
from tests.contract.sights.plain_sights import PLAIN_SIGHTS
from tests.contract.sights.sight import Sight
from tests.contract.sights.streamed_sights import STREAMED_SIGHTS
from tests.contract.sights.tool_sights import TOOL_SIGHTS
from tests.contract.worlds import HOST, PATIENCE_S, WORLDS, of_every_client, serve

REPEATS = 100

OF_CONNECTIONS = {fault.name for fault in FAULTS if fault.strikes == "connection"}


def test_every_fault_has_its_sight() -> None:
    """A fault without a proof through real clients does not ship; refuse has tests of its own."""
    assert {"refuse"} == OF_CONNECTIONS
    assert {fault.name for fault in FAULTS} - OF_CONNECTIONS == names_of(
        [*PLAIN_SIGHTS, *STREAMED_SIGHTS]
    ) | {sight.fault.name for sight in TOOL_SIGHTS}


@of_every_client
@pytest.mark.parametrize("sight", PLAIN_SIGHTS, ids=lambda sight: repr(sight.fault))
def test_a_fault_looks_the_same_in_both_worlds(sight: Sight, client: str) -> None:
    """What my client raises, reads and waits is what it would on real TCP, byte by byte."""
    virtual, on_real_tcp = (meet(kind, sight.fault, CLIENTS[client]) for kind in WORLDS)

    assert virtual == on_real_tcp
    assert sight.through(client) == heard(sight, client, virtual.outcome)
    assert sight.elapsed_s(client) == virtual.answered_s == virtual.rested_s
    assert (0, ()) == (virtual.connections, virtual.unseen)


@pytest.mark.parametrize("name", sorted(names_of(STREAMED_SIGHTS) - names_of(PLAIN_SIGHTS)))
def test_a_fault_of_streams_leaves_a_plain_answer_alone(name: str) -> None:
    """What cannot strike an answer waits for one that it can: no fault is counted in vain."""
    server = ChaosServer()
    server.next_fault(name)
    with VirtualWorld() as world:
        serve(world, server)
        outcome = world.run(CLIENTS["raw"], HOST, 80, PATIENCE_S)

    assert ("whole", 200) == (outcome.ended, outcome.status)
    assert not server.injected


@of_every_client
def test_without_a_fault_every_client_gets_its_answer(client: str) -> None:
    """Nothing goes wrong unless I ordered it, in no world and through no client."""
    seen = []
    for kind in WORLDS:
        with kind() as world:
            serve(world, ChaosServer())
            seen.append((world.run(CLIENTS[client], HOST, 80, PATIENCE_S), world.now))

    (outcome, elapsed_s), on_real_tcp = seen
    assert (outcome, elapsed_s) == on_real_tcp
    assert ("whole", 200, 0.0) == (outcome.ended, outcome.status, elapsed_s)
    assert TEXT.encode() in outcome.delivered


@pytest.mark.parametrize("client", ["raw", "httpx"])
@pytest.mark.parametrize("name", ["reset_before_headers", "reset_mid_body", "close_mid_body"])
def test_a_hundred_repeats_on_real_tcp_look_alike(name: str, client: str) -> None:
    """A reset or a FIN on real TCP gives my client the same error every time, not most times.

    Slow (0.3 to 0.5 s): a hundred requests, each of which waits until the sockets are quiet.
    """
    server = ChaosServer()
    outcomes: Counter[Outcome] = Counter()
    with LoopbackWorld() as world:
        serve(world, server)
        for _ in range(REPEATS):
            server.next_fault(name)
            outcomes[world.run(CLIENTS[client], HOST, 80, PATIENCE_S)] += 1
        elapsed_s = world.now

    assert [REPEATS] == list(outcomes.values())
    assert (REPEATS, 0.0) == (server.hits[name], elapsed_s)


def test_the_sdk_is_told_the_id_of_its_request() -> None:
    """An Anthropic error names the request, in its header and in its body, as the real one does."""

    async def ask() -> tuple[str | None, object]:
        async with anthropic.AsyncAnthropic(
            base_url=f"http://{HOST}", api_key="k", max_retries=0
        ) as client:
            with pytest.raises(anthropic.RateLimitError) as caught:
                await client.messages.create(
                    model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
                )
        return caught.value.request_id, caught.value.body

    server = ChaosServer()
    server.next_fault("status_429")
    with VirtualWorld() as world:
        serve(world, server)
        request_id, body = world.run(ask)

    assert isinstance(body, dict)
    assert ("req_000001", "req_000001", "rate_limit_error") == (
        request_id,
        body["request_id"],
        body["error"]["type"],
    )
