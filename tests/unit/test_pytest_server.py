"""The fixtures ``chaos_server`` and ``chaos_server_session``, and what their marker may say."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trio

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.aimed import Aimed
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.distributions import Exponential
from chaoscheck.plan.documents.presets import PRESETS
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, TokenQuota
from chaoscheck.plan.replies import Replies
from chaoscheck.pytest_server import wanted
from chaoscheck.server.threaded import ThreadedServer

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def ask(server: ThreadedServer, path: str = "/v1/chat/completions") -> int:
    """The status of one request."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(server.url + path, json.dumps(QUESTION).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            reply.read()
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


# ---------------------------------------------------------------------- a server a test


def test_without_a_marker_the_server_answers_well(chaos_server: ThreadedServer) -> None:
    """A plain sync test gets a silent server of its own."""
    assert 200 == ask(chaos_server)
    assert [200] == [exchange.status for exchange in chaos_server.ledger]


@pytest.mark.chaos(status_429=1.0)
def test_a_marker_says_what_goes_wrong(chaos_server: ThreadedServer) -> None:
    """@pytest.mark.chaos(status_429=1.0) refuses every request."""
    assert 429 == ask(chaos_server)


@pytest.mark.chaosllm(rates={"status_503": 1.0})
def test_the_other_name_of_the_marker_does_the_same(chaos_server: ThreadedServer) -> None:
    """@pytest.mark.chaosllm is the same marker."""
    assert 503 == ask(chaos_server)


@pytest.mark.chaos(first=["status_500", None])
def test_an_asyncio_test_uses_it(chaos_server: ThreadedServer) -> None:
    """The first attempt fails, the second is answered, asked from an asyncio loop."""

    async def scene() -> list[int]:
        return [await asyncio.to_thread(ask, chaos_server) for _ in range(2)]

    assert [500, 200] == asyncio.run(scene())


@pytest.mark.chaos(status_529=1.0)
def test_a_trio_test_uses_it(chaos_server: ThreadedServer) -> None:
    """From a trio run the same server is asked, steered and read."""

    async def scene() -> list[int]:
        first = await trio.to_thread.run_sync(ask, chaos_server)
        chaos_server.heal()
        return [first, await trio.to_thread.run_sync(ask, chaos_server)]

    assert [529, 200] == trio.run(scene)
    assert {"status_529": 1} == dict(chaos_server.hits)


@pytest.mark.chaos(status_500=1.0)
class TestMarkedClass:
    """A class whose tests share a marker."""

    def test_the_class_marker_holds_for_its_tests(self, chaos_server: ThreadedServer) -> None:
        """What my class is marked with goes for each of its tests."""
        assert 500 == ask(chaos_server)

    @pytest.mark.chaosllm(seed=3)
    def test_the_closest_marker_wins(self, chaos_server: ThreadedServer) -> None:
        """A test's own marker takes the place of its class's, under either name."""
        assert FaultPlan(seed=3) == chaos_server.plan
        assert 200 == ask(chaos_server)


@pytest.mark.chaos(providers=["anthropic"])
def test_providers_limit_what_is_served(chaos_server: ThreadedServer) -> None:
    """With providers= the APIs of the others are not there."""
    assert 404 == ask(chaos_server)


# ---------------------------------------------------------------------- one for the session


@pytest.mark.chaos(status_500=1.0)
@pytest.mark.parametrize("time", [1, 2])
def test_the_session_server_is_as_new_for_each_test(
    chaos_server_session: ThreadedServer, time: int
) -> None:
    """Nothing is left of the test before: ledger, queue, counters; my marker's plan is on."""
    assert [] == chaos_server_session.ledger
    assert 500 == ask(chaos_server_session)
    chaos_server_session.next_fault("status_529")


def test_the_session_server_is_silent_without_a_marker(
    chaos_server_session: ThreadedServer,
) -> None:
    """The plan of another test's marker is not mine."""
    assert 200 == ask(chaos_server_session)


# ---------------------------------------------------------------------- what a marker may say


def plan_of(*folders: Path, **keywords: Any) -> FaultPlan:
    """The plan that a marker with these keywords means."""
    return wanted(pytest.mark.chaos(**keywords).mark, *folders).plan


@pytest.mark.parametrize(
    ("keywords", "plan"),
    [
        ({}, FaultPlan()),
        ({"preset": "stress"}, PRESETS["stress"].plan),
        ({"plan": FaultPlan(seed=9)}, FaultPlan(seed=9)),
        ({"plan": {"seed": 9, "rates": {"status_500": 0.5}}, "seed": 4},
         FaultPlan.of({"status_500": 0.5}, seed=4)),
        ({"rates": {"reset_mid_body(after_bytes=17)": 0.2}, "status_429": 0.3},
         FaultPlan.of({"reset_mid_body(after_bytes=17)": 0.2, "status_429": 0.3})),
        ({"rates": {faults.status_500(): 0.2}}, FaultPlan.of({"status_500": 0.2})),
        ({"scripts": {"order 7": ["status_500", None]}},
         FaultPlan.of(scripts={"order 7": ["status_500", None]})),
        ({"first": ["status_500"]}, FaultPlan.of(first=["status_500"])),
        ({"bursts": [{"fault": "status_500", "every_s": 2.0, "lasts_s": 1.0}]},
         FaultPlan.of(bursts=[Burst(fault=faults.status_500(), every_s=2.0, lasts_s=1.0)])),
        ({"bursts": [Burst(fault=faults.status_500(), every_s=2.0, lasts_s=1.0)]},
         FaultPlan.of(bursts=[Burst(fault=faults.status_500(), every_s=2.0, lasts_s=1.0)])),
        ({"context_window": 8192}, FaultPlan.of(context_window=8192)),
        ({"context_window": {"gpt-4*": 8192, "*": 9}},
         FaultPlan.of(context_window={"gpt-4*": 8192, "*": 9})),
        ({"limits": [{"kind": "token_quota", "tokens": 9, "counts": "input"}]},
         FaultPlan.of(limits=[TokenQuota(tokens=9, counts="input")])),
        ({"limits": [ConcurrencyCap(in_flight=2)]},
         FaultPlan.of(limits=[ConcurrencyCap(in_flight=2)])),
        ({"replies": {"mode": "seeded"}}, FaultPlan(replies=Replies(mode="seeded"))),
        ({"replies": {"base_latency_s": "exponential(mean_s=0.1)", "token_s": 0.5}},
         FaultPlan(replies=Replies(base_latency_s=Exponential(mean_s=0.1), token_s=0.5))),
        ({"headers": {"retry_after_zero": 0.5}}, FaultPlan.of(headers={"retry_after_zero": 0.5})),
        ({"aimed": [{"model": "m", "rates": {"status_529": 0.5}}], "status_500": 0.1},
         FaultPlan.of({"status_500": 0.1}, aimed=[{"model": "m", "rates": {"status_529": 0.5}}])),
        ({"aimed": [Aimed(path="/v1/*", first=(faults.status_500(),))]},
         FaultPlan(aimed=(Aimed(path="/v1/*", first=(faults.status_500(),)),))),
        ({"retry_after_zero": 0.5}, FaultPlan.of(headers={"retry_after_zero": 0.5})),
    ],
)  # fmt: skip
def test_a_marker_can_say_everything_that_a_plan_can(
    keywords: dict[str, Any], plan: FaultPlan
) -> None:
    """Values, texts and tables as in plan files all mean what they mean there."""
    assert plan == plan_of(**keywords)


def test_a_plan_file_is_looked_for_beside_the_test_first(tmp_path: Path) -> None:
    """plan="file.toml" is the one in my test's folder, else the one at the root."""
    near, root = tmp_path / "near", tmp_path
    near.mkdir()
    (near / "plan.toml").write_text("seed = 1\n", encoding="utf-8")
    (root / "plan.toml").write_text("seed = 2\n", encoding="utf-8")
    (root / "other.toml").write_text("seed = 3\n", encoding="utf-8")

    assert (1, 3) == (
        plan_of(near, root, plan="plan.toml").seed,
        plan_of(near, root, plan="other.toml").seed,
    )


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"prest": "stress"}, "did you mean 'preset'"),
        ({"status_42": 0.5}, "did you mean 'status_4"),
        ({"preset": "stres"}, "did you mean 'stress'"),
        ({"preset": "stress", "plan": FaultPlan()}, "exclude each other"),
        ({"plan": "nowhere.toml"}, "nowhere.toml"),
        ({"plan": 5}, "a file, a FaultPlan or a mapping"),
        ({"rates": ["status_500"]}, "must map faults to rates"),
        ({"rates": {"status_500": 1.5}}, r"in \[0, 1\], got 1.5"),
        ({"status_500": 0.6, "status_429": 0.6}, "at most 1"),
        ({"seed": "x"}, "seed must be"),
        ({"bursts": 5}, "bursts"),
        ({"first": "status_500"}, "first"),
        ({"aimed": [{"modl": "m"}]}, r"aimed\[0\].modl: unknown key; did you mean 'model'"),
        ({"providers": 5}, "providers must be"),
    ],
)
def test_a_wrong_marker_is_a_usage_error(keywords: dict[str, Any], said: str) -> None:
    """Whatever I mistype in a marker is named, with the nearest legal word."""
    with pytest.raises(pytest.UsageError, match=said):
        plan_of(**keywords)


def test_a_marker_takes_keywords_only() -> None:
    """@pytest.mark.chaos("stress") tells me how to write it."""
    with pytest.raises(pytest.UsageError, match="keywords only"):
        wanted(pytest.mark.chaos("stress").mark)
