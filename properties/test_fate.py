"""Fate: the same seed gives each attempt of each request the same fault, whoever comes first.

32 clients talk to the server at once, each through its own connections, each attempt after a
delay of its own. Only who comes when differs between two runs of an example.
"""

from __future__ import annotations

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.catalogue import BODY_FAULTS, HEADER_FAULTS, STATUS_FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.strategies.faults import faults
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.ambient import seeded_random
from chaoscheck.world.choices import Choices, SeededChoices
from chaoscheck.world.virtual import VirtualWorld

CLIENTS = 32
ATTEMPTS = 2

Fates = dict[tuple[str, int], str | None]

_HIT: st.SearchStrategy[Fault | str] = faults([*STATUS_FAULTS, *BODY_FAULTS])
_HEADERS: st.SearchStrategy[Fault | str] = faults(HEADER_FAULTS)


def fates(plan: FaultPlan, order: int, choices: Choices | None = None) -> Fates:
    """What each attempt of each client met, where ``order`` decides who waits how long."""
    delays = seeded_random(order)
    with VirtualWorld(SeededChoices(order)) as world:
        world.network.add_host("api.test")
        server = ChaosServer(plan, choices=choices)
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        talks = [
            world.start(_talk, f"client {number}", [delays.random() for _ in range(ATTEMPTS)])
            for number in range(CLIENTS)
        ]
        for talk in talks:
            world.run_until(talk)
        return {(each.key, each.attempt): each.fault for each in server.ledger}


async def _talk(key: str, delays_s: list[float]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": key}]}
    async with httpx.AsyncClient(base_url="http://api.test", transport=FastTransport()) as client:
        for delay_s in delays_s:
            await trio.sleep(delay_s)
            headers = {"X-Chaos-Key": key}
            try:
                await client.post("/v1/chat/completions", json=body, headers=headers)
            except httpx.TransportError:
                continue


@settings(max_examples=15)
@given(
    st.builds(
        lambda seed, rates, headers: FaultPlan.of(rates, headers=headers, seed=seed),
        st.integers(0, 2**32),
        st.dictionaries(_HIT, st.sampled_from([0.1, 0.25]), min_size=1, max_size=4),
        st.dictionaries(_HEADERS, st.sampled_from([0.25, 0.5]), max_size=2),
    ),
    st.integers(0, 2**32),
)
def test_fate_is_a_function_of_seed_key_and_attempt(plan: FaultPlan, order: int) -> None:
    """32 concurrent clients in another order of arrival: each attempt meets what it met."""
    first, second = fates(plan, order), fates(plan, order + 1)

    assert CLIENTS * ATTEMPTS == len(first)
    assert first == second


class Undivided(SeededChoices):
    """A broken twin of chance: one stream that whoever comes first draws from."""

    def derive(self, *keys: object) -> SeededChoices:
        return self


def test_chance_that_goes_by_arrival_is_caught() -> None:
    """With one stream for all the law does not hold, so it tests something."""
    plan = FaultPlan.of({"status_429": 0.5})
    with pytest.raises(AssertionError):
        assert fates(plan, 1, Undivided(7)) == fates(plan, 2, Undivided(7))
