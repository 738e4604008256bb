"""What the caller of each SDK makes of each fault of tool calls, equal on both worlds."""

from __future__ import annotations

import pytest

from chaoscheck.plan.catalogue import TOOL_FAULTS
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.clients import Outcome
from tests.contract.sights.tool_sights import GOOD_CALL, REASONS, TOOL_SIGHTS, ToolSight
from tests.contract.tool_clients import CALLING, TOOL_CLIENTS, TOOL_STREAM_CLIENTS
from tests.contract.worlds import HOST, PATIENCE_S, WORLDS, serve

# The google-genai SDK leaves the generator of a stream to the collector, on which trio remarks.
# The openai SDK writes what it has read, whose types it did not check.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]

of_every_client = pytest.mark.parametrize("client", TOOL_CLIENTS)
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def _shown(outcome: Outcome) -> str:
    return outcome.delivered.decode() if outcome.ended == "whole" else outcome.ended


def test_every_fault_of_calls_has_its_sight() -> None:
    """A fault without a proof through the SDKs does not ship."""
    assert {fault.name for fault in TOOL_FAULTS} == {sight.fault.name for sight in TOOL_SIGHTS}
    assert list(REASONS) == list(TOOL_CLIENTS) == list(TOOL_STREAM_CLIENTS)


@whole_and_streamed
@pytest.mark.parametrize("sight", TOOL_SIGHTS, ids=lambda sight: repr(sight.fault))
def test_a_broken_call_looks_the_same_in_both_worlds(sight: ToolSight, streamed: bool) -> None:
    """What my SDK hands to my code, or raises in its place, is what it would on real TCP."""
    for client, ask in (TOOL_STREAM_CLIENTS if streamed else TOOL_CLIENTS).items():
        seen = []
        for kind in WORLDS:
            server = ChaosServer(CALLING)
            server.next_fault(sight.fault)
            with kind() as world:
                serve(world, server)
                seen.append(_shown(world.run(ask, HOST, 80, PATIENCE_S)))
                world.settle()
            applies = int(sight.applies(client, streamed=streamed))
            assert applies == server.injected[sight.fault.name] == server.hits[sight.fault.name]

        assert [sight.through(client, streamed=streamed)] * 2 == seen, client


@whole_and_streamed
@of_every_client
def test_without_a_fault_every_client_gets_its_call(client: str, streamed: bool) -> None:
    """Nothing goes wrong unless I ordered it."""
    ask = (TOOL_STREAM_CLIENTS if streamed else TOOL_CLIENTS)[client]
    with VirtualWorld() as world:
        serve(world, ChaosServer(CALLING))
        assert f"{GOOD_CALL} [{REASONS[client]}]" == _shown(world.run(ask, HOST, 80, PATIENCE_S))
