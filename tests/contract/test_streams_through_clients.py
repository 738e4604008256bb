"""What each client makes of each fault that strikes a stream, equal on both worlds.

Twin of ``test_faults_through_clients``, whose clients ask for a plain answer.
"""

from __future__ import annotations

import pytest

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.clients import TEXT
from tests.contract.sights.good_answers import STREAM, framed
from tests.contract.sights.meeting import heard, meet, names_of
from tests.contract.sights.plain_sights import PLAIN_SIGHTS
from tests.contract.sights.sight import Sight
from tests.contract.sights.streamed_sights import STREAMED_SIGHTS
from tests.contract.stream_clients import STREAM_CLIENTS
from tests.contract.worlds import HOST, PATIENCE_S, WORLDS, serve

of_every_client = pytest.mark.parametrize("client", STREAM_CLIENTS)


@of_every_client
@pytest.mark.parametrize("sight", STREAMED_SIGHTS, ids=lambda sight: repr(sight.fault))
def test_a_fault_of_a_stream_looks_the_same_in_both_worlds(sight: Sight, client: str) -> None:
    """What my client raises, the text it has by then and how long it took: as on real TCP."""
    virtual, on_real_tcp = (meet(kind, sight.fault, STREAM_CLIENTS[client]) for kind in WORLDS)

    assert virtual == on_real_tcp
    assert sight.through(client) == heard(sight, client, virtual.outcome)
    assert sight.elapsed_s(client) == virtual.answered_s == virtual.rested_s
    assert (0, ()) == (virtual.connections, virtual.unseen)


@of_every_client
def test_without_a_fault_every_client_gets_its_stream(client: str) -> None:
    """Nothing goes wrong unless I ordered it, in no world and through no client."""
    seen = []
    for kind in WORLDS:
        with kind() as world:
            serve(world, ChaosServer())
            seen.append((world.run(STREAM_CLIENTS[client], HOST, 80, PATIENCE_S), world.now))

    said = {"raw": framed(STREAM), "httpx": b"".join(STREAM), "httpx2": b"".join(STREAM)}
    (outcome, elapsed_s), on_real_tcp = seen
    assert (outcome, elapsed_s) == on_real_tcp
    assert ("whole", 200, 0.0) == (outcome.ended, outcome.status, elapsed_s)
    assert said.get(client, TEXT.encode()) == outcome.delivered


@pytest.mark.parametrize("name", sorted(names_of(PLAIN_SIGHTS) - names_of(STREAMED_SIGHTS)))
def test_a_fault_of_a_promised_length_leaves_a_stream_alone(name: str) -> None:
    """A stream promises no length, so there is none to lie about: the fault waits."""
    server = ChaosServer()
    server.next_fault(name)
    with VirtualWorld() as world:
        serve(world, server)
        outcome = world.run(STREAM_CLIENTS["raw"], HOST, 80, PATIENCE_S)

    assert framed(STREAM) == outcome.delivered
    assert not server.injected
