"""Latency: what a client measures are the drawn waits, whoever else asks, in whatever order.

Requests of several keys go out at drawn instants and in a drawn order; some meet a fault and are
sent again. When the head and each piece arrive follows from the model and from the waits of that
(key, occurrence, attempt) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.distributions import (
    Distribution,
    Exponential,
    LogNormal,
    Normal,
    Seconds,
    Uniform,
)
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.apis.pace import Pace, RequestPlace, SeededDelay, delay_of, draws_of
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.ambient import seeded_random
from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.virtual import VirtualWorld
from models.answer_times import error_arrives_s, stream_arrives_s, whole_arrives_s

KEYS = 4
CLIENTS = 8
TRIES_MAX = 6
TEXT = "one two three"
WORDS = 3

_LAWS: st.SearchStrategy[Seconds] = st.sampled_from(
    (
        0.0,
        0.25,
        Uniform(low_s=0.1, high_s=0.5),
        Normal(mean_s=0.2, sigma_s=0.1),
        LogNormal(p50_s=0.3, p99_s=2.0),
        Exponential(mean_s=0.1, max_s=1.0),
    )
)


@dataclass(slots=True)
class Seen:
    """What one client saw of one answer, in seconds after it asked."""

    streamed: bool
    good: bool = False
    head_s: float = 0.0
    pieces_s: list[float] = field(default_factory=list)


Measured = dict[RequestPlace, Seen]


def measured(plan: FaultPlan, order: int) -> Measured:
    """What each request of 8 clients saw; ``order`` decides who comes when."""
    chance = seeded_random(order)
    seen: dict[str, Seen] = {}
    with VirtualWorld(SeededChoices(order)) as world:
        world.network.add_host("api.test")
        server = ChaosServer(plan)
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        talks = [world.start(_talk, client, chance.random() * 3, seen) for client in range(CLIENTS)]
        for talk in talks:
            world.run_until(talk)
        return {
            (each.key, each.occurrence, each.attempt): seen[each.attempt_id or ""]
            for each in server.ledger
        }


async def _talk(client: int, after_s: float, seen: dict[str, Seen]) -> None:
    await trio.sleep(after_s)
    key = f"key {client % KEYS}"
    streamed = client % KEYS < KEYS // 2
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": TEXT}],
        "stream": streamed,
    }
    # Waits have no bound, and together they may exceed a client's usual timeout.
    async with httpx.AsyncClient(
        base_url="http://api.test", transport=FastTransport(), timeout=None
    ) as http:
        for number in range(TRIES_MAX):
            name = f"{client}.{number}"
            asked_s = trio.current_time()
            saw = seen[name] = Seen(streamed)
            headers = {"X-Chaos-Key": key, "X-Attempt-Id": name}
            path = "/v1/chat/completions"
            async with http.stream("POST", path, json=body, headers=headers) as reply:
                saw.head_s = trio.current_time() - asked_s
                async for line in reply.aiter_lines():
                    if '{"content":"' in line and '"delta":{"role"' not in line:
                        saw.pieces_s.append(trio.current_time() - asked_s)
                if reply.status_code == 200:
                    saw.good = True
                    return


def latency_holds(plan: FaultPlan, order: int) -> Measured:
    """Every answer came when the model says; what was measured."""
    seen = measured(plan, order)
    kinds = (
        ("base latency", plan.replies.base_latency_s),
        ("first token", plan.replies.first_token_s),
        ("token", plan.replies.token_s),
    )
    base, first, each = (delay_of(seconds, plan.seed, kind) for kind, seconds in kinds)
    for place, saw in seen.items():
        base_s = next(draws_of(base, place))
        waits_s = [next(draws_of(first, place)), *islice(draws_of(each, place), WORDS - 1)]
        head_s, pieces_s = whole_arrives_s(base_s, waits_s), list[float]()
        if not saw.good:
            head_s = error_arrives_s(base_s)
        elif saw.streamed:
            head_s, pieces_s = stream_arrives_s(base_s, waits_s)
        assert pytest.approx(head_s, abs=1e-6) == saw.head_s, place
        assert pytest.approx(pieces_s, abs=1e-6) == saw.pieces_s, place
    return seen


@settings(max_examples=15)
@given(
    st.builds(
        lambda seed, rate, waits: FaultPlan.of(
            {"status_500": rate} if rate else {},
            seed=seed,
            replies=Replies(base_latency_s=waits[0], first_token_s=waits[1], token_s=waits[2]),
        ),
        st.integers(0, 2**32),
        st.sampled_from([0.0, 0.25]),
        st.tuples(_LAWS, _LAWS, _LAWS),
    ),
    st.integers(0, 2**32),
)
def test_answers_come_when_their_waits_say(plan: FaultPlan, order: int) -> None:
    """Head and pieces come as drawn; the same seed gives the same waits in another order."""
    first, second = latency_holds(plan, order), latency_holds(plan, order + 1)

    assert first.keys() == second.keys()


# ---------------------------------------------------------------------- planted bugs


BUSY = FaultPlan.of(
    {"status_500": 0.25},
    seed=5,
    replies=Replies(
        base_latency_s=Uniform(low_s=0.1, high_s=0.5),
        first_token_s=LogNormal(p50_s=0.3, p99_s=2.0),
        token_s=Exponential(mean_s=0.1),
    ),
)


class _OneStream(SeededDelay):
    """Each request takes what is next in a stream that all share."""

    _shared: Iterator[float] | None = None

    def draws(self, place: RequestPlace) -> Iterator[float]:
        self._shared = self._shared or SeededDelay.draws(self, ("", 1, 1))
        return self._shared


class _SameForRetries(SeededDelay):
    """A retry is as slow as what it repeats."""

    def draws(self, place: RequestPlace) -> Iterator[float]:
        return super().draws((*place[:2], 1))


class _SameForEqualPrompts(SeededDelay):
    """An equal prompt is as slow as the one before it."""

    def draws(self, place: RequestPlace) -> Iterator[float]:
        return super().draws((place[0], 1, place[2]))


class _DrawnOnce(SeededDelay):
    """There is one draw a request: all tokens are equally late."""

    def draws(self, place: RequestPlace) -> Iterator[float]:
        drawn = next(super().draws(place))
        while True:
            yield drawn


Twin = Callable[[pytest.MonkeyPatch], None]


def _instead(kind: type[SeededDelay]) -> Twin:
    def made(seconds: Seconds, seed: int, name: str) -> object:
        return kind(seconds, seed, name) if isinstance(seconds, Distribution) else seconds

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("chaoscheck.server.apis.speakers.delay_of", made)
        patch.setattr("chaoscheck.server.apis.pace.delay_of", made)

    return plant


def _without_first_token(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pace, "waits", lambda pace: draws_of(pace.each, pace.place))


def _whole_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pace, "whole_s", lambda pace, tokens: next(pace.waits()))


TWINS: dict[str, Twin] = {
    "one stream for all requests": _instead(_OneStream),
    "the attempt does not count": _instead(_SameForRetries),
    "the occurrence does not count": _instead(_SameForEqualPrompts),
    "one draw for all tokens": _instead(_DrawnOnce),
    "no time to first token": _without_first_token,
    "a whole answer waits for one token": _whole_at_once,
}


def test_the_latency_law_holds_for_what_the_twins_break() -> None:
    """The plan that finds the planted bugs is kept by the server itself."""
    assert {1, 2} <= {attempt for _, _, attempt in latency_holds(BUSY, 1)}


@pytest.mark.parametrize("bug", TWINS)
def test_a_planted_bug_in_latency_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that go by arrival, forget who asked, or pass twice or never, break the law."""
    TWINS[bug](monkeypatch)

    with pytest.raises(AssertionError):
        latency_holds(BUSY, 1)
