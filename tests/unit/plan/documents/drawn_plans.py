"""Any plan that documents can say, drawn part by part."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.distributions import Exponential, LogNormal, Uniform
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Quota, TokenLimit, TokenQuota
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import RecordedCall, RecordedReply, Replies
from chaoscheck.strategies.faults import faults as drawn_faults

__all__ = ["drawn_plans"]

_ENTRIES = st.builds(
    RecordedReply,
    text=st.text(max_size=8),
    prompt=st.none() | st.text(max_size=8),
    tool_calls=st.lists(
        st.builds(RecordedCall, name=st.text(min_size=1, max_size=4), arguments=st.just('{"a":1}')),
        max_size=2,
    ).map(tuple),
)
_REPLIES = st.one_of(
    st.builds(Replies, first_token_s=st.floats(0, 9), tag=st.booleans()),
    st.builds(
        Replies,
        base_latency_s=st.builds(Exponential, mean_s=st.floats(1e-9, 9), max_s=st.floats(1e-9, 9)),
        first_token_s=st.builds(LogNormal, median_s=st.floats(1e-9, 9), sigma=st.floats(1e-9, 9)),
        token_s=st.builds(Uniform, low_s=st.floats(0, 1), high_s=st.floats(1, 9)),
    ),
    st.builds(Replies, mode=st.just("template"), template=st.text(min_size=1, max_size=8)),
    st.builds(Replies, mode=st.just("seeded"), words_min=st.integers(1, 30)),
    st.builds(Replies, mode=st.just("recorded"), path=st.text(min_size=1, max_size=8)),
    st.builds(
        Replies,
        mode=st.just("recorded"),
        entries=st.lists(_ENTRIES, min_size=1, max_size=2).map(tuple),
    ),
)
_HIT = drawn_faults()
# As strategies of keys these are wider: FaultPlan.of takes texts as well.
_RATED: st.SearchStrategy[Fault | str] = _HIT
_HEADERS: st.SearchStrategy[Fault | str] = drawn_faults(faults.HEADER_FAULTS)
_OF_REQUESTS = drawn_faults([kind for kind in faults.FAULTS if kind.strikes == "request"])
_RATE = st.floats(0, 1)
_SECONDS = st.floats(0, 1e6)
_ABOVE_0 = st.floats(0, 1e6, exclude_min=True)
_PERIOD = st.floats(1e-6, 1e6)
_SCRIPT = st.lists(st.none() | _OF_REQUESTS, max_size=3)
_LIMITS = st.one_of(
    st.builds(TokenLimit, rate_per_s=_ABOVE_0, burst=st.integers(1, 9), fault=_OF_REQUESTS),
    st.builds(ConcurrencyCap, in_flight=st.integers(1, 9)),
    st.builds(
        TokenQuota,
        tokens=st.integers(1, 9),
        every_s=_PERIOD,
        per=st.sampled_from(["api_key", "model", "api_key_and_model"]),
        counts=st.sampled_from(["total", "input", "output"]),
        charges=st.sampled_from(["reserved", "actual"]),
    ),
    st.builds(
        Quota,
        requests=st.integers(1, 9),
        every_s=_PERIOD,
        per=st.sampled_from(["api_key", "request_key"]),
        retry_after=st.sampled_from(["true_wait", "as_given"]),
    ),
)


_RATED_REQUESTS: st.SearchStrategy[Fault | str] = _OF_REQUESTS


@st.composite
def _aims(draw: st.DrawFn) -> Any:
    """An aim at a model of its own, so that none is never reached."""
    fault, ramped = draw(_OF_REQUESTS), draw(_OF_REQUESTS)
    outage = Outage(fault=fault, from_s=0.0, until_s=draw(st.floats(1, 9)))
    ramp = Ramp(fault=ramped, from_s=0.0, until_s=1.0)
    model = draw(st.text(min_size=1, max_size=8).filter(lambda text: "*" not in text))
    return {
        "model": model + draw(st.sampled_from(["", "x*y"])),
        **draw(st.sampled_from([{}, {"provider": "openai", "path": "/v1/*"}])),
        "rates": draw(st.dictionaries(_RATED_REQUESTS, st.just(0.0), max_size=2)),
        "headers": draw(st.dictionaries(_HEADERS, _RATE, max_size=1)),
        "first": draw(_SCRIPT),
        "outages": draw(st.sampled_from([(), (outage,)])),
        "ramps": draw(st.sampled_from([(), (ramp,)])),
        "limits": [TokenLimit(rate_per_s=draw(_ABOVE_0))],
    }


def _first_letter(aim: Any) -> str:
    return str(aim["model"])[0]


@st.composite
def drawn_plans(draw: st.DrawFn) -> FaultPlan:
    """A plan with any of its parts."""
    every_s = draw(_PERIOD)
    from_s = draw(st.floats(0, 1e3))
    until_s = from_s + draw(st.floats(1, 1e3))
    burst = Burst(fault=draw(_HIT), every_s=every_s, lasts_s=every_s, rate=draw(_RATE))
    outage = Outage(fault=draw(_HIT), from_s=from_s, until_s=until_s)
    start, end, hold = draw(_RATE), draw(_RATE), draw(st.booleans())
    ramp = Ramp(fault=draw(_HIT), from_s=from_s, until_s=until_s, start=start, end=end, hold=hold)
    rates = draw(st.dictionaries(_RATED, st.floats(0, 0.25), max_size=4))
    headers = draw(st.dictionaries(_HEADERS, _RATE, max_size=2))
    return FaultPlan.of(
        rates,
        seed=draw(st.integers(-(2**63), 2**63 - 1)),
        headers=headers,
        bursts=draw(st.sampled_from([(), (burst,)])),
        outages=draw(st.sampled_from([(), (outage,)])),
        ramps=draw(st.sampled_from([(), (ramp,)])),
        scripts=draw(st.dictionaries(st.text(min_size=1, max_size=5), _SCRIPT, max_size=2)),
        first=draw(_SCRIPT),
        limits=draw(st.lists(_LIMITS, max_size=2)),
        context_window=draw(
            st.integers(1, 99)
            | st.dictionaries(st.text(min_size=1, max_size=5), st.integers(1, 99), max_size=2)
        ),
        replies=draw(_REPLIES),
        aimed=draw(st.lists(_aims(), max_size=2, unique_by=_first_letter)),
    )
