"""How long the unmodified SDKs wait before they try again, whatever Retry-After says.

Both read ``retry-after-ms`` first, then ``retry-after`` as seconds or as a date; what is not above
zero, or means nothing, they answer with a backoff of their own. Of a wait that is too long openai
wants nothing (it does not try again), anthropic waits for up to 49.7 days. In virtual time.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import anthropic
import httpx2
import openai
import pytest

from chaoscheck.errors import Deadlock
from chaoscheck.history.exchange import Exchange
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.outage import Outage
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world import ambient
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.worlds import HOST, serve

KEY = "job-17"
TEXT = "hello there"
MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]
TIMEOUT_S = 4.0
JITTERS = range(3)  # draws from the world's chance that come before those of the SDK

# What both SDKs wait by themselves: half a second, doubled each time, less up to a quarter.
FIRST_BACKOFF_S = (0.375, 0.5)
SECOND_BACKOFF_S = (0.75, 1.0)

T = TypeVar("T")

Ask = Callable[[int, bool], Awaitable[str]]


def _client(make: Callable[..., T], path: str, max_retries: int) -> T:
    # Without the CA bundle, which costs 20 ms.
    pool = httpx2.AsyncClient(verify=False, trust_env=False)
    return make(
        base_url=f"http://{HOST}{path}",
        api_key="k",
        max_retries=max_retries,
        timeout=TIMEOUT_S,
        http_client=pool,
    )


async def ask_openai(max_retries: int, streamed: bool) -> str:
    """The text of a completion of the request ``KEY``."""
    async with _client(openai.AsyncOpenAI, "/v1", max_retries) as client:
        asked: dict[str, Any] = {"model": "m", "messages": MESSAGES}
        asked["extra_headers"] = {"X-Chaos-Key": KEY}
        if not streamed:
            said = await client.chat.completions.create(**asked)
            return said.choices[0].message.content or ""
        stream = await client.chat.completions.create(**asked, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def ask_anthropic(max_retries: int, streamed: bool) -> str:
    """The text of a message of the request ``KEY``."""
    async with _client(anthropic.AsyncAnthropic, "", max_retries) as client:
        asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": MESSAGES}
        asked["extra_headers"] = {"X-Chaos-Key": KEY}
        if not streamed:
            said = await client.messages.create(**asked)
            return "".join([block.text for block in said.content if block.type == "text"])
        async with client.messages.stream(**asked) as stream:
            return "".join([text async for text in stream.text_stream])


ASKS: dict[str, Ask] = {"openai": ask_openai, "anthropic": ask_anthropic}

of_every_sdk = pytest.mark.parametrize("sdk", ASKS)
plain_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The text, or the name of what was raised, and the server's book of it."""

    came_of_it: str
    exchanges: tuple[Exchange, ...]

    @property
    def waits_s(self) -> list[float]:
        """How long the server heard nothing between an answer and the next attempt."""
        return [
            later.received_at_s - earlier.ended_at_s for earlier, later in pairwise(self.exchanges)
        ]

    @property
    def attempts(self) -> list[tuple[str, int, int | None]]:
        """Key, attempt and status of each."""
        return [(each.key, each.attempt, each.status) for each in self.exchanges]


def _play(
    sdk: str,
    server: ChaosServer,
    *,
    retries: int = 2,
    streamed: bool = False,
    jitter: int = 0,
    patience_s: float = 0.0,
) -> Played:
    """Let the SDK ask; ``patience_s`` pass before anybody wonders whether it ever ends."""

    async def ask() -> str:
        for _ in range(jitter):
            ambient.uniform(0, 1)
        return await ASKS[sdk](retries, streamed)

    with VirtualWorld() as world:
        serve(world, server)
        asking = world.start(ask)
        world.advance(patience_s)
        try:
            came_of_it = world.run_until(asking)
        except (openai.OpenAIError, anthropic.AnthropicError) as error:
            came_of_it = type(error).__name__
        world.settle()
        return Played(came_of_it=came_of_it, exchanges=tuple(server.ledger))


def _met_once(sdk: str, fault: Fault, **how: Any) -> Played:
    server = ChaosServer()
    server.next_fault(fault)
    return _play(sdk, server, **how)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Between which bounds, in seconds, each SDK waits; None is one that does not try again."""

    fault: Fault
    openai: tuple[float, float] | None
    anthropic: tuple[float, float] | None


def _both(fault: Fault, low_s: float, high_s: float | None = None) -> Wait:
    bounds = (low_s, low_s if high_s is None else high_s)
    return Wait(fault=fault, openai=bounds, anthropic=bounds)


OPENAI_LONGEST_S = 120
ANTHROPIC_LONGEST_S = 4_294_967  # 2**32 milliseconds, in whole seconds
YEAR_S = 31_536_000

WAITS = [
    _both(faults.retry_after_zero(), *FIRST_BACKOFF_S),
    _both(faults.retry_after_fraction(seconds=0.25), 0.25),
    _both(faults.retry_after_fraction(seconds=7.125), 7.125),
    # A date has whole seconds, rounded up.
    _both(faults.retry_after_http_date(seconds=5), 5.0, 6.0),
    _both(faults.retry_after_past_date(), *FIRST_BACKOFF_S),
    _both(faults.retry_after_negative(), *FIRST_BACKOFF_S),
    Wait(
        fault=faults.retry_after_huge(seconds=YEAR_S),
        openai=None,
        anthropic=(ANTHROPIC_LONGEST_S, ANTHROPIC_LONGEST_S),
    ),
    Wait(
        fault=faults.retry_after_huge(seconds=10**18),
        openai=None,
        anthropic=(ANTHROPIC_LONGEST_S, ANTHROPIC_LONGEST_S),
    ),
    Wait(fault=faults.retry_after_http_date(seconds=3_600), openai=None, anthropic=(3_600, 3_601)),
    _both(faults.retry_after_garbage(), *FIRST_BACKOFF_S),
    _both(faults.retry_after_garbage(text=""), *FIRST_BACKOFF_S),
    _both(faults.retry_after_garbage(text="nan"), *FIRST_BACKOFF_S),
    _both(faults.retry_after_contradicting_ms(), 30.0),
    _both(faults.retry_after_contradicting_ms(retry_after_s=9, retry_after_ms=50), 0.05),
    _both(faults.retry_after_contradicting_ms(retry_after_s=9, retry_after_ms=0), *FIRST_BACKOFF_S),
    Wait(
        fault=faults.retry_after_contradicting_ms(
            retry_after_s=None, retry_after_ms=(OPENAI_LONGEST_S + 1) * 1_000
        ),
        openai=None,
        anthropic=(OPENAI_LONGEST_S + 1, OPENAI_LONGEST_S + 1),
    ),
]


@plain_and_streamed
@of_every_sdk
@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: repr(wait.fault))
def test_an_sdk_survives_whatever_retry_after_says(wait: Wait, sdk: str, streamed: bool) -> None:
    """It waits as its rule says, or gives up at once with the error that it got."""
    bounds: tuple[float, float] | None = getattr(wait, sdk)
    for jitter in JITTERS:
        patience_s = 0.0 if bounds is None else bounds[1]
        played = _met_once(sdk, wait.fault, streamed=streamed, jitter=jitter, patience_s=patience_s)

        if bounds is None:
            assert ("RateLimitError", [(KEY, 1, 429)]) == (played.came_of_it, played.attempts)
        else:
            low_s, high_s = bounds
            assert (TEXT, [(KEY, 1, 429), (KEY, 2, 200)]) == (played.came_of_it, played.attempts)
            (waited_s,) = played.waits_s
            assert _not_below(low_s, waited_s)
            assert _not_below(waited_s, high_s)


def _not_below(low_s: float, high_s: float) -> bool:
    # The calendar is a sum of large and small numbers: its last digits are lost.
    return low_s <= high_s or math.isclose(low_s, high_s, rel_tol=1e-9, abs_tol=1e-6)


def test_every_odd_retry_after_is_tried() -> None:
    """A fault of the header without a proof through the SDKs does not ship."""
    assert {kind.name for kind in faults.HEADER_FAULTS} == {wait.fault.name for wait in WAITS}


def test_a_wait_of_weeks_is_told_as_one_that_never_ends() -> None:
    """An SDK that obeys ``retry-after: 31536000`` hangs, and I am told who and where."""
    with pytest.raises(Deadlock, match="ask never ends") as told:
        _met_once("anthropic", faults.retry_after_huge())

    assert "waits in sleep" in str(told.value)


SAYING_WHEN = [kind for kind in faults.STATUS_FAULTS if issubclass(kind, RetryLaterFault)]


@of_every_sdk
@pytest.mark.parametrize("kind", SAYING_WHEN, ids=lambda kind: kind.name)
def test_an_sdk_waits_as_any_error_asks(kind: type[RetryLaterFault], sdk: str) -> None:
    """503 and 529 ask as 429 does, in the header of any error that an SDK tries again."""
    played = _met_once(sdk, kind(retry_after_s=7.125), patience_s=7.125)

    if kind is faults.status_425:  # no SDK tries that again
        assert [425] == [each.status for each in played.exchanges]
        return
    assert [(KEY, 1, kind.status), (KEY, 2, 200)] == played.attempts
    assert 7.125 == played.waits_s[0]


WINDOWS = {
    "outage of 503": FaultPlan(outages=(Outage(from_s=0, until_s=12.5, retry_after="true_wait"),)),
    "burst of 529": FaultPlan.of(
        bursts=[Burst(fault=faults.status_529(), every_s=60, lasts_s=12.5, retry_after="true_wait")]
    ),
}


@of_every_sdk
@pytest.mark.parametrize("plan", WINDOWS.values(), ids=WINDOWS)
def test_an_sdk_comes_back_when_an_outage_is_over(plan: FaultPlan, sdk: str) -> None:
    """With one retry it meets the end of what asked it to wait, to the millisecond."""
    played = _play(sdk, ChaosServer(plan), retries=1, patience_s=12.5)

    assert TEXT == played.came_of_it
    assert [12.5] == played.waits_s


@of_every_sdk
def test_an_sdk_waits_with_jitter_of_its_own(sdk: str) -> None:
    """The jitter comes from the world's chance: it differs, and comes again."""
    fault = faults.retry_after_garbage()
    waits = [_met_once(sdk, fault, jitter=jitter).waits_s[0] for jitter in (1, 1, 2)]

    assert waits[0] == waits[1] != waits[2]


@of_every_sdk
@pytest.mark.parametrize(
    ("status", "tried_again"),
    [
        (400, False),
        (401, False),
        (402, False),
        (403, False),
        (404, False),
        (408, True),
        (409, True),
        (413, False),
        (422, False),
        (425, False),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (504, True),
        (529, True),
    ],
)
def test_an_sdk_tries_again_only_what_may_pass(sdk: str, status: int, tried_again: bool) -> None:
    """408, 409, 429 and whatever is the server's fault; nothing else, 425 included."""
    played = _met_once(sdk, faults.fault_class(f"status_{status}")())

    statuses = [each.status for each in played.exchanges]
    assert ([status, 200] if tried_again else [status]) == statuses


@of_every_sdk
@pytest.mark.parametrize(
    "name",
    ["refuse", "close_before_headers", "reset_before_headers", "reset_mid_headers", "half_close"],
)
def test_an_sdk_tries_again_when_its_connection_breaks(sdk: str, name: str) -> None:
    """A lost connection costs a backoff, not the answer."""
    played = _met_once(sdk, faults.fault_class(name)())

    assert TEXT == played.came_of_it
    assert [name, None] == [each.fault_name for each in played.exchanges]


@of_every_sdk
def test_an_sdk_tries_again_after_its_timeout(sdk: str) -> None:
    """A stall costs the client's own time-out and a backoff."""
    played = _met_once(sdk, faults.stall_before_headers())

    assert TEXT == played.came_of_it
    stalled, served = played.exchanges
    assert TIMEOUT_S == stalled.ended_at_s - stalled.received_at_s
    assert FIRST_BACKOFF_S[0] <= served.received_at_s - stalled.ended_at_s <= FIRST_BACKOFF_S[1]


FIRST_TWO = (faults.status_503(), faults.status_500())


def _scripted() -> ChaosServer:
    server = ChaosServer()
    server.script(KEY, FIRST_TWO)
    return server


PLANS: dict[str, Callable[[], ChaosServer]] = {
    "script of its key": _scripted,
    "first of every key": lambda: ChaosServer(FaultPlan(first=FIRST_TWO)),
}

fail_the_first_two = pytest.mark.parametrize("plan", PLANS)


@fail_the_first_two
@plain_and_streamed
@of_every_sdk
def test_after_two_failures_the_third_attempt_succeeds(plan: str, sdk: str, streamed: bool) -> None:
    """ "Fail the first 2" is met by an SDK with two retries; its backoff doubles."""
    played = _play(sdk, PLANS[plan](), streamed=streamed)

    assert TEXT == played.came_of_it
    assert [(KEY, 1, 503), (KEY, 2, 500), (KEY, 3, 200)] == played.attempts
    first_s, second_s = played.waits_s
    assert FIRST_BACKOFF_S[0] <= first_s <= FIRST_BACKOFF_S[1]
    assert SECOND_BACKOFF_S[0] <= second_s <= SECOND_BACKOFF_S[1]


@fail_the_first_two
@of_every_sdk
def test_with_one_retry_the_second_failure_is_the_callers(plan: str, sdk: str) -> None:
    """Attempts are 1 + max_retries; the error is that of the last one."""
    played = _play(sdk, PLANS[plan](), retries=1)

    assert "InternalServerError" == played.came_of_it
    assert [(KEY, 1, 503), (KEY, 2, 500)] == played.attempts


@fail_the_first_two
@of_every_sdk
def test_a_second_request_of_the_same_key_begins_at_its_first_attempt(plan: str, sdk: str) -> None:
    """The SDK says which retry it is, and that counts: a new call is a first attempt again."""
    server = PLANS[plan]()
    first = _play(sdk, server)
    both = _play(sdk, server)

    assert first.attempts * 2 == both.attempts
