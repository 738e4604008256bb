"""Quotas of tokens: what remains is exact on every answer, and the wait that is asked for is true.

One client sends requests of several keys and models to OpenAI's and Anthropic's API, whole and
streamed. The model says what is admitted and what is left. After a refusal the client comes back
2 ms early, and is refused again; when it comes back as it was asked to, it is served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, NamedTuple

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import TokenQuota
from chaoscheck.server import limit_state
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.identity import Arrival
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world import ambient
from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.virtual import VirtualWorld
from models.token_quota import UNUSED, Ruling, Window, ask, left

EARLY_S = 0.002  # a wait is said in milliseconds, rounded up


class Ask(NamedTuple):
    """A request ``gap_s`` seconds after the one before: a prompt of ``words`` words.

    ``most`` is its ``max_tokens``; None sets none, where the API lets it.
    """

    gap_s: float
    api: Literal["openai", "anthropic"]
    key: str
    model: str
    words: int
    most: int | None = None
    streamed: bool = False

    @property
    def owner(self) -> str:
        """The API key as it is sent: the two APIs send it in headers of their own."""
        return f"{self.api} {self.key}"

    @property
    def limit(self) -> int | None:
        """Anthropic's API demands a limit."""
        return self.most or (9 if self.api == "anthropic" else None)


ASKS = st.lists(
    st.builds(
        Ask,
        gap_s=st.sampled_from((0.0, 0.0, 0.25, 0.5, 1.0)),
        api=st.sampled_from(("openai", "anthropic")),
        key=st.sampled_from("ab"),
        model=st.sampled_from(("small", "large")),
        words=st.integers(1, 12),
        most=st.none() | st.integers(1, 16),
        streamed=st.booleans(),
    ),
    max_size=10,
)
QUOTAS = st.builds(
    TokenQuota,
    tokens=st.integers(1, 40),
    every_s=st.sampled_from((1.0, 2.5, 60.0)),
    per=st.sampled_from(("api_key", "model", "api_key_and_model")),
    counts=st.sampled_from(("total", "input", "output")),
    charges=st.sampled_from(("reserved", "actual")),
)


class _Quota:
    """The model of a quota over all owners."""

    def __init__(self, quota: TokenQuota) -> None:
        self._quota = quota
        self._windows: dict[str, Window] = {}

    def ask(self, one: Ask, at_s: float) -> Ruling:
        """What becomes of a request."""
        said = one.words if one.limit is None else min(one.words, one.limit)
        reserves = self._part(one.words, one.limit or said)
        charged = reserves if self._quota.charges == "reserved" else self._part(one.words, said)
        owner = self._owner(one)
        window, ruling = ask(
            self._windows.get(owner, UNUSED),
            at_s,
            limit=self._quota.tokens,
            every_s=self._quota.every_s,
            reserves=reserves,
            charged=charged,
        )
        self._windows[owner] = window
        return ruling

    def left(self, one: Ask, at_s: float) -> tuple[int, float]:
        """How the sender of a request stands."""
        window = self._windows.get(self._owner(one), UNUSED)
        return left(window, at_s, limit=self._quota.tokens, every_s=self._quota.every_s)

    def _owner(self, one: Ask) -> str:
        by_key = one.owner if self._quota.per.startswith("api_key") else ""
        return f"{by_key} {one.model if self._quota.per.endswith('model') else ''}"

    def _part(self, read: int, said: int) -> int:
        return {"input": read, "output": said, "total": read + said}[self._quota.counts]


def quota_holds(quota: TokenQuota, asks: list[Ask]) -> int:
    """Every answer is the model's; how many requests were refused."""
    with VirtualWorld(SeededChoices(0)) as world:
        world.network.add_host("api.test")
        server = ChaosServer(FaultPlan.of(limits=[quota]))
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        return world.run(_talk, quota, asks)


async def _talk(quota: TokenQuota, asks: list[Ask]) -> int:
    model, refused = _Quota(quota), 0
    async with httpx.AsyncClient(base_url="http://api.test", transport=FastTransport()) as http:
        for one in asks:
            await trio.sleep(one.gap_s)
            reply = await _checked(http, quota, model, one)
            if reply.status_code == 200:
                continue
            refused += 1
            if "retry-after" not in reply.headers:
                continue
            wait_s = float(reply.headers["retry-after"])
            await trio.sleep(wait_s - EARLY_S)
            assert (await _checked(http, quota, model, one)).status_code == 429, one
            await trio.sleep(EARLY_S)
            assert (await _checked(http, quota, model, one)).status_code == 200, one
    return refused


async def _checked(
    http: httpx.AsyncClient, quota: TokenQuota, model: _Quota, one: Ask
) -> httpx.Response:
    """Send a request; its status, its wait and what is left are the model's."""
    at_s = trio.current_time()
    ruling = model.ask(one, at_s)
    reply = await _sent(http, one)
    headers = reply.headers

    assert (200 if ruling.admitted else 429) == reply.status_code, one
    if ruling.wait_s is None:
        assert "retry-after" not in headers
    else:
        told_s = float(headers["retry-after"])
        assert ruling.wait_s - 1e-6 <= told_s <= ruling.wait_s + 0.001 + 1e-6
        if one.api == "openai":
            assert str(round(told_s * 1000)) == headers["retry-after-ms"]
    remaining, reset_s = model.left(one, at_s)
    if one.api == "openai":
        names = ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens")
        reset, slack_s = _duration_s(headers["x-ratelimit-reset-tokens"]), 0.001
    else:
        kind = "" if quota.counts == "total" else f"{quota.counts}-"
        prefix = f"anthropic-ratelimit-{kind}tokens"
        names = (f"{prefix}-limit", f"{prefix}-remaining")
        reset = _instant_s(headers[f"{prefix}-reset"]) - ambient.wall_time()
        slack_s = 1.0
    assert [quota.tokens, remaining] == [int(headers[name]) for name in names], one
    assert reset_s - 1e-6 <= reset <= reset_s + slack_s + 1e-6, one
    return reply


async def _sent(http: httpx.AsyncClient, one: Ask) -> httpx.Response:
    text = " ".join(["word"] * one.words)
    body: dict[str, Any] = {
        "model": one.model,
        "messages": [{"role": "user", "content": text}],
        "stream": one.streamed,
    }
    if one.limit is not None:
        body["max_tokens"] = one.limit
    if one.api == "openai":
        headers = {"authorization": f"Bearer {one.key}"}
        return await http.post("/v1/chat/completions", json=body, headers=headers)
    headers = {"x-api-key": one.key, "anthropic-version": "2023-06-01"}
    return await http.post("/v1/messages", json=body, headers=headers)


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _duration_s(text: str) -> float:
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _instant_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@settings(max_examples=30)
@given(QUOTAS, ASKS)
def test_a_token_quota_is_its_model(quota: TokenQuota, asks: list[Ask]) -> None:
    """Who is refused, what remains, and how long to wait: exact on every answer."""
    quota_holds(quota, asks)


# ---------------------------------------------------------------------- planted bugs

_State = limit_state._RequestTokens
_Windows = limit_state._Windows

#: A story that each planted bug below breaks, for each way to count.
STORY = [
    Ask(0.0, "openai", "a", "small", 5, 9),
    Ask(0.5, "openai", "a", "large", 4, 2),
    Ask(0.0, "openai", "b", "small", 6),
    Ask(0.25, "openai", "a", "small", 6, 12, True),
    Ask(0.0, "openai", "a", "small", 99),
    Ask(0.25, "openai", "a", "small", 6, 7),
    Ask(0.5, "anthropic", "a", "small", 9, 2),
]
STORY_QUOTAS = [
    TokenQuota(tokens=20, every_s=2.5, per="api_key_and_model"),
    TokenQuota(tokens=20, every_s=2.5, charges="actual"),
    TokenQuota(tokens=12, every_s=2.5, per="model", counts="output", charges="actual"),
    TokenQuota(tokens=9, every_s=2.5, counts="input"),
]


def _charge_refused(patch: pytest.MonkeyPatch) -> None:
    refuses = _State.refuses

    def charging(state: Any, arrival: Arrival) -> object:
        refused = refuses(state, arrival)
        if refused is not None:
            state._windows.charge(state._owner(arrival), arrival.at_s, 1)
        return refused

    patch.setattr(_State, "refuses", charging)


def _forget_the_answer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_State, "_part", lambda state, read, said: read)


def _forget_max_tokens(patch: pytest.MonkeyPatch) -> None:
    note = TokenCounter.count
    patch.setattr(
        TokenCounter, "count", lambda it, model, read, said, most=None: note(it, model, read, said)
    )


def _slide(patch: pytest.MonkeyPatch) -> None:
    def charge(windows: Any, owner: str, at_s: float, amount: int) -> None:
        windows._windows[owner] = (at_s, windows._window(owner, at_s)[1] + amount)

    patch.setattr(_Windows, "charge", charge)


def _share_among_models(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_State, "_owner", lambda state, arrival: arrival.caller)


def _share_among_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_State, "_owner", lambda state, arrival: arrival.tokens.model)


def _always_charge_reserved(patch: pytest.MonkeyPatch) -> None:
    note = TokenCounter.count

    def reserved(it: Any, model: str, read: int, said: int, most: int | None = None) -> None:
        note(it, model, read, said, most)
        it.output = it.reserved

    patch.setattr(TokenCounter, "count", reserved)


def _wait_a_whole_window(patch: pytest.MonkeyPatch) -> None:
    used = _Windows.used
    patch.setattr(_Windows, "used", lambda it, owner, at_s: (used(it, owner, at_s)[0], it._every_s))


TWINS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a refused request is charged": _charge_refused,
    "the answer's tokens do not count": _forget_the_answer,
    "max_tokens is not reserved": _forget_max_tokens,
    "each request begins the window anew": _slide,
    "models share a quota": _share_among_models,
    "keys share a quota": _share_among_keys,
    "what is not used is not given back": _always_charge_reserved,
    "the wait is always a whole window": _wait_a_whole_window,
}


def _stories_hold() -> int:
    return sum([quota_holds(quota, STORY) for quota in STORY_QUOTAS])


def test_the_stories_hold_as_long_as_nothing_is_planted() -> None:
    """Each of them has a refusal, so that waits are looked at."""
    assert _stories_hold() >= len(STORY_QUOTAS)


@pytest.mark.parametrize("bug", TWINS)
def test_a_planted_bug_in_a_token_quota_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is charged wrongly, or told a wrong wait, is noticed."""
    TWINS[bug](monkeypatch)

    with pytest.raises(AssertionError):
        _stories_hold()
