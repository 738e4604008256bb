"""What each client makes of each fault: one expectation a family, equal on both worlds.

The families: a raw stream, what speaks HTTP (httpx, httpx2), and the SDKs on top of these. Both
worlds run in virtual time; the loopback world carries every byte through the kernel's TCP.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import anthropic
import pytest

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.clients import CLIENTS, TEXT, Outcome
from tests.contract.worlds import HOST, PATIENCE_S, WORLDS, of_every_client, serve

SLOW_S = 2.5
CUT_BYTES = 17  # of the body, by the faults that strike in its midst
REPEATS = 100

FAMILIES = {"raw": "raw", "httpx": "http", "httpx2": "http", "openai": "sdk", "anthropic": "sdk"}
GOOD_SDK_BYTES = len(TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one family sees; None as ``delivered`` is a body whose length is the provider's."""

    ended: str
    status: int | None = None
    delivered: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What each family sees of ``fault``, and how long it takes by the world's clock.

    ``own`` are the exceptions of single SDKs that have a class of their own for it.
    """

    fault: Fault
    raw: Expected
    http: Expected
    sdk: Expected
    own: tuple[tuple[str, str], ...] = ()
    elapsed_s: float = 0.0

    def through(self, client: str) -> Expected:
        """What is expected of one client."""
        expected: Expected = getattr(self, FAMILIES[client])
        own = dict(self.own).get(client)
        if own is None:
            return expected
        return Expected(ended=own, status=expected.status, delivered=expected.delivered)


def _answers(fault: Fault, status: int, sdk: str, *own: tuple[str, str]) -> Sight:
    whole = Expected(ended="whole", status=status, delivered=None)
    refused = Expected(ended=sdk, status=status, delivered=None)
    return Sight(fault=fault, raw=whole, http=whole, sdk=refused, own=own)


def _misleads(fault: Fault, delivered: int | None) -> Sight:
    whole = Expected(ended="whole", status=200, delivered=delivered)
    return Sight(fault=fault, raw=whole, http=whole, sdk=Expected(ended="JSONDecodeError"))


def _ends(
    fault: Fault,
    raw: str,
    http: str,
    *,
    mid_body: bool,
    elapsed_s: float = 0.0,
) -> Sight:
    seen: tuple[int | None, int] = (200, CUT_BYTES) if mid_body else (None, 0)
    sdk = "APITimeoutError" if elapsed_s else "APIConnectionError"
    return Sight(
        fault=fault,
        raw=Expected(ended=raw, status=seen[0], delivered=seen[1]),
        http=Expected(ended=http, status=seen[0], delivered=seen[1]),
        sdk=Expected(ended=f"{sdk} from {http}"),
        elapsed_s=elapsed_s,
    )


GOOD = Expected(ended="whole", status=200, delivered=None)
SIGHTS = [
    _answers(faults.status_429(retry_after_s=0.5), 429, "RateLimitError"),
    _answers(faults.status_500(), 500, "InternalServerError"),
    _answers(
        faults.status_503(retry_after_s=2),
        503,
        "InternalServerError",
        ("anthropic", "ServiceUnavailableError"),
    ),
    _answers(faults.status_529(), 529, "InternalServerError", ("anthropic", "OverloadedError")),
    Sight(
        fault=faults.slow_response(delay_s=SLOW_S),
        raw=GOOD,
        http=GOOD,
        sdk=Expected(ended="whole", status=200, delivered=GOOD_SDK_BYTES),
        elapsed_s=SLOW_S,
    ),
    _misleads(faults.invalid_json(), None),
    _misleads(faults.truncated_json(after_bytes=CUT_BYTES), CUT_BYTES),
    _ends(faults.close_before_headers(), "eof", "RemoteProtocolError", mid_body=False),
    _ends(
        faults.close_mid_body(after_bytes=CUT_BYTES), "eof", "RemoteProtocolError", mid_body=True
    ),
    _ends(faults.reset_before_headers(), "reset", "ReadError", mid_body=False),
    _ends(faults.reset_mid_body(after_bytes=CUT_BYTES), "reset", "ReadError", mid_body=True),
    _ends(
        faults.stall_before_headers(),
        "silence",
        "ReadTimeout",
        mid_body=False,
        elapsed_s=PATIENCE_S,
    ),
    _ends(
        faults.stall_mid_body(after_bytes=CUT_BYTES),
        "silence",
        "ReadTimeout",
        mid_body=True,
        elapsed_s=PATIENCE_S,
    ),
]


def _meet(kind: type[World], fault: Fault, client: str) -> tuple[Outcome, float, float]:
    """The outcome, when it was there, and when the world was at rest again."""
    server = ChaosServer()
    server.next_fault(fault)
    with kind() as world:
        serve(world, server)
        outcome = world.run(CLIENTS[client], HOST, 80, PATIENCE_S)
        answered_s = world.now
        world.settle()
        assert [] == world.network.connections()
        assert 1 == server.hits[fault.name]
        return outcome, answered_s, world.now


def test_every_fault_has_its_sight() -> None:
    """A fault without a proof through real clients does not ship."""
    assert {fault.name for fault in FAULTS} == {sight.fault.name for sight in SIGHTS}


@of_every_client
@pytest.mark.parametrize("sight", SIGHTS, ids=lambda sight: sight.fault.name)
def test_a_fault_looks_the_same_in_both_worlds(sight: Sight, client: str) -> None:
    """What my client raises, reads and waits is what it would on real TCP, byte by byte."""
    virtual, loopback = (_meet(kind, sight.fault, client) for kind in WORLDS)

    outcome, answered_s, rested_s = virtual
    expected = sight.through(client)
    delivered = len(outcome.delivered) if expected.delivered is None else expected.delivered
    assert virtual == loopback
    assert (expected.ended, expected.status) == (outcome.ended, outcome.status)
    assert (delivered, sight.elapsed_s) == (len(outcome.delivered), answered_s)
    assert answered_s == rested_s


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
