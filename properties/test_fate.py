"""Fate: the same seed gives each attempt at each call the same fault, whatever comes first.

32 clients talk to the server at once, each through its own connections, each request after a
delay of its own. Only what comes when differs between two runs of an example.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.catalogue import BODY_FAULTS, HEADER_FAULTS, STATUS_FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.identity import AttemptCounts, Place
from chaoscheck.strategies.faults import faults
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.ambient import seeded_random
from chaoscheck.world.choices import Choices, SeededChoices
from chaoscheck.world.virtual import VirtualWorld

CLIENTS = 32
ATTEMPTS = 2

Fates = dict[tuple[str, int, int], str | None]

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
        return {(each.key, each.occurrence, each.attempt): each.fault for each in server.ledger}


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
def test_fate_is_a_function_of_seed_key_occurrence_and_attempt(plan: FaultPlan, order: int) -> None:
    """32 concurrent clients in another order of arrival: each attempt meets what it met."""
    first, second = fates(plan, order), fates(plan, order + 1)

    assert CLIENTS * ATTEMPTS == len(first)
    assert first == second


LOOP = 8  # requests of a client's own retry loop, at most
ENDLESS = 60  # requests; at a rate of 0.3 a client sends as many with a chance of 1e-31
PATIENCE_S = 5.0  # a client's time-out: what is silent or slow is given up


def loops(
    plan: FaultPlan,
    order: int,
    keys: list[str],
    choices: Choices | None = None,
    *,
    requests_max: int = LOOP,
) -> tuple[Fates, list[bool]]:
    """What clients with a retry loop of their own meet, one client each key, and who got through.

    They send what the SDKs send: a retry count of 0 with every request.
    """
    delays = seeded_random(order)
    with VirtualWorld(SeededChoices(order)) as world:
        world.network.add_host("api.test")
        server = ChaosServer(plan, choices=choices)
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        talks = [
            world.start(_loop, key, [delays.random() * 9 for _ in range(requests_max)])
            for key in keys
        ]
        through = [world.run_until(talk) for talk in talks]
        fates = {(each.key, each.occurrence, each.attempt): each.fault for each in server.ledger}
        assert len(server.ledger) == len(fates)  # no two requests share a fate
        return fates, through


async def _loop(key: str, delays_s: list[float]) -> bool:
    body = {"model": "m", "messages": [{"role": "user", "content": "the same for all"}]}
    headers = {"X-Chaos-Key": key, "x-stainless-retry-count": "0"}
    async with httpx.AsyncClient(
        base_url="http://api.test", transport=FastTransport(), timeout=PATIENCE_S
    ) as client:
        for delay_s in delays_s:
            await trio.sleep(delay_s)
            try:
                answer = await client.post("/v1/chat/completions", json=body, headers=headers)
                if answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"]:
                    return True
            except (httpx.TransportError, ValueError):
                continue
    return False


_TELLING: st.SearchStrategy[Fault | str] = st.sampled_from(
    ["status_429", "status_503", "reset_before_headers", "close_mid_body", "stall_before_headers",
     "slow_response(delay_s=30.0)", "truncated_json"]
)  # fmt: skip


@settings(max_examples=12)
@given(
    st.dictionaries(_TELLING, st.sampled_from([0.05, 0.1]), min_size=1, max_size=3),
    st.lists(_TELLING, max_size=2),
    st.integers(0, 2**32),
)
def test_retry_loops_meet_the_same_fates_in_any_order(
    rates: dict[Fault | str, float], first: list[Fault | str], order: int
) -> None:
    """32 clients whose SDK says 0 retries each time, with stalls that they give up on."""
    plan = FaultPlan.of(rates, first=first, seed=order)
    keys = [f"client {number}" for number in range(CLIENTS)]

    assert loops(plan, order, keys) == loops(plan, order + 1, keys)


@settings(max_examples=12)
@given(
    st.dictionaries(_TELLING, st.sampled_from([0.05, 0.1]), min_size=1, max_size=3),
    st.integers(0, 2**32),
)
def test_equal_prompts_meet_the_same_fates_in_any_order(
    rates: dict[Fault | str, float], order: int
) -> None:
    """16 equal prompts at once: each call has fates of its own, the same in every order."""
    plan = FaultPlan.of(rates, seed=order)
    first, second = (
        loops(plan, order + more, ["equal"] * 16, requests_max=ENDLESS) for more in (0, 1)
    )

    assert first == second
    assert [True] * 16 == first[1]
    assert set(range(1, 17)) == {occurrence for _, occurrence, _ in first[0]}


@pytest.mark.parametrize("first", [(), ("status_429", "status_500")])
def test_a_loop_of_eight_recovers_from_every_fate(first: tuple[str, ...]) -> None:
    """60 prompts at a rate of 0.3, and where the first two attempts of each call fail."""
    plan = FaultPlan.of({} if first else {"status_429": 0.15, "status_500": 0.15}, first=first)
    _, through = loops(plan, 1, [f"prompt {number}" for number in range(60)])

    assert [True] * 60 == through


class Undivided(SeededChoices):
    """A broken twin of chance: one stream that whoever comes first draws from."""

    def derive(self, *keys: object) -> SeededChoices:
        return self


def test_chance_that_goes_by_arrival_is_caught() -> None:
    """With one stream for all no law holds, so each tests something."""
    plan = FaultPlan.of({"status_429": 0.5})
    keys = [f"client {number}" for number in range(CLIENTS)]
    with pytest.raises(AssertionError):
        assert fates(plan, 1, Undivided(7)) == fates(plan, 2, Undivided(7))
    with pytest.raises(AssertionError):
        assert loops(plan, 1, keys, Undivided(7)) == loops(plan, 2, keys, Undivided(7))


class ZeroBegins(AttemptCounts):
    """A broken twin: a retry count of 0 says that this is the first attempt at the first call."""

    def place(self, key: str, headers: Mapping[bytes, bytes]) -> Place:
        return super().place(key, headers)._replace(occurrence=1, attempt=1)


def test_a_server_that_believes_a_retry_count_of_0_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``fail the first`` never ends there, and equal requests share one fate."""
    monkeypatch.setattr("chaoscheck.server.service.AttemptCounts", ZeroBegins)
    with pytest.raises(AssertionError):
        loops(FaultPlan.of(first=["status_429"]), 1, ["one"])
