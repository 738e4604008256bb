"""Retry loops around unmodified clients: every call recovers, equal prompts have own fates.

The clients talk to a server over real TCP; none waits between its requests.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.world.ambient import seeded_random
from chaoscheck.world.virtual import VirtualWorld
from tests.architecture.checkout import ROOT
from tests.contract.client_programs import CannotRun, command_beside, command_on_node
from tests.contract.retry_loops import LOOP, LOOPS, ask_once_openai
from tests.contract.worlds import HOST, serve

PROMPTS = [f"prompt {number}" for number in range(60)]
EQUAL = 40  # prompts

PLANS = {
    "rate": FaultPlan.of({"status_429": 0.15, "status_500": 0.15}, seed=3),
    "first": FaultPlan.of(first=["status_429", "status_500"]),
}
of_every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())

Fates = dict[tuple[str, int, int], str | None]


def _fates(server: ThreadedServer) -> Fates:
    return {(each.key, each.occurrence, each.attempt): each.fault for each in server.ledger}


@of_every_plan
@pytest.mark.parametrize("client", LOOPS)
def test_every_prompt_gets_through_a_loop_of_eight(client: str, plan: FaultPlan) -> None:
    """60 prompts recover, whether a retry count of 0 comes with each request or none.

    Slow (up to 2 s): some 180 requests, each over a connection of its own.
    """
    with ThreadedServer(plan) as server:
        through = [LOOPS[client](server.url, prompt) for prompt in PROMPTS]
        hit = sum(exchange.fault is not None for exchange in server.ledger)

    assert [True] * len(PROMPTS) == through
    assert hit >= 10


@pytest.mark.parametrize("program", ["langchain", "node"])
@of_every_plan
def test_every_prompt_gets_through_with_clients_of_other_environments(
    program: str, plan: FaultPlan
) -> None:
    """LangChain's ``with_retry``, and loops around the SDKs of Node.

    Slow (up to 6 s): LangChain takes two seconds to import.
    """
    try:
        command = (
            command_beside("loops_of_langchain")
            if program == "langchain"
            else command_on_node("loops.cjs")
        )
    except CannotRun as error:
        pytest.skip(str(error))
    with ThreadedServer(plan) as server:
        command += [server.url, str(len(PROMPTS)), str(LOOP)]
        ran = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        hit = sum(exchange.fault is not None for exchange in server.ledger)

    assert 0 == ran.returncode, ran.stderr
    assert {name: [True] * len(PROMPTS) for name in json.loads(ran.stdout)} == json.loads(
        ran.stdout
    )
    assert hit >= 20


def test_equal_prompts_fail_by_fates_of_their_own() -> None:
    """Of 40 equal prompts at a rate of 0.3, asked once each, 4 to 20 fail, with any seed."""
    failures = []
    for seed in range(3):
        with ThreadedServer(FaultPlan.of({"status_500": 0.3}, seed=seed)) as server:
            answered = [ask_once_openai(server.url, "the same") for _ in range(EQUAL)]
        failures.append(answered.count(False))

    assert [] == [count for count in failures if not 4 <= count <= 20]
    assert 1 < len(set(failures))


def test_the_same_seed_gives_the_same_fates_under_shuffled_arrival() -> None:
    """60 prompts, each with its loop, one after the other, shuffled, and eight at once.

    Slow (1 s): some 250 requests.
    """
    met = []
    for order in range(3):
        prompts = PROMPTS[:]
        seeded_random(order).shuffle(prompts)
        with (
            ThreadedServer(PLANS["rate"]) as server,
            ThreadPoolExecutor(8 if order == 2 else 1) as pool,
        ):
            assert all(pool.map(lambda prompt: LOOPS["httpx"](server.url, prompt), prompts))
            met.append(_fates(server))

    assert met[0] == met[1] == met[2]


def test_a_loop_around_an_sdks_own_retries_counts_every_attempt() -> None:
    """A loop around an SDK that retries twice: eleven failures are four calls of the SDK."""
    plan = FaultPlan.of(first=["status_500"] * 11)

    async def loop() -> int:
        pool = httpx2.AsyncClient(verify=False, trust_env=False)
        async with openai.AsyncOpenAI(
            base_url=f"http://{HOST}/v1", api_key="k", max_retries=2, http_client=pool
        ) as client:
            for call in range(1, LOOP + 1):
                try:
                    await client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": "hello"}]
                    )
                except openai.InternalServerError:
                    continue
                return call
        return 0

    with VirtualWorld() as world:
        server = ChaosServer(plan)
        serve(world, server)
        calls = world.run(loop)
        places = [(each.occurrence, each.attempt) for each in server.ledger]

    assert 4 == calls
    assert [(1, attempt) for attempt in range(1, 13)] == places
