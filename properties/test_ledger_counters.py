"""The ledger's counters equal a recount of all that was entered: overflow, reads, resets."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.history.exchange import Ending, Exchange
from chaoscheck.server.books.latency_histogram import LatencySummary
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.books.prometheus import prometheus_text
from chaoscheck.server.books.stats import stats
from models.ledger_counts import latencies, quantile, recount

ERROR_MAX = 0.05  # of a percentile, relative
SHORTEST_S = 1e-6  # what is shorter may count as nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """These exchanges end, one after the other."""

    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody looks at the counters."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Somebody clears the ledger."""


LedgerStep = Enter | Read | Reset


#: A good one, to be changed.
EXCHANGE = Exchange(
    number=1,
    key="k",
    attempt=1,
    attempt_id=None,
    method="POST",
    path="/v1/chat/completions",
    tag="hi",
    fault=None,
    fault_name=None,
    status=200,
    body_sent=10,
    body_length=10,
    body_digest="0" * 64,
    received_at_s=0.0,
    ended_at_s=0.5,
    ended="complete",
    effect=False,
    provider="openai",
    bytes_sent=100,
)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """Any exchange: good, faulty, refused, cut, of any provider."""
    fault = draw(st.sampled_from([None, "status_429", "reset_mid_body", "refuse"]))
    received_at_s = draw(st.sampled_from([0.0, 1.5, 1000.0]))
    return EXCHANGE._replace(
        number=draw(st.integers(1, 9)),
        key=draw(st.sampled_from(["k", ""])),
        fault=fault,
        fault_name=fault,
        status=draw(st.sampled_from([200, None, 400, 429, 399])),
        received_at_s=received_at_s,
        ended_at_s=received_at_s + draw(st.just(0.0) | st.floats(1e-5, 1e8)),
        ended=draw(st.sampled_from(get_args(Ending))),
        effect=draw(st.booleans()),
        provider=draw(st.sampled_from(["openai", "anthropic", ""])),
        streamed=draw(st.booleans()),
        bytes_sent=draw(st.integers(0, 10**6)),
    )


STEPS: st.SearchStrategy[list[LedgerStep]] = st.lists(
    st.one_of(
        st.builds(Enter, exchanges=st.lists(exchanges(), max_size=6).map(tuple)),
        st.just(Read()),
        st.just(Reset()),
    ),
    max_size=8,
)


def counts_hold(make: Callable[[], Ledger], steps: Sequence[LedgerStep]) -> None:
    """Take the steps; at each read and at the end the ledger equals the recount.

    What it keeps is the newest of what was entered, and ``total`` is right at any time.
    """
    ledger = make()
    entered: list[Exchange] = []
    for step in (*steps, Read()):
        if isinstance(step, Enter):
            for exchange in step.exchanges:
                ledger.add(exchange)
                entered.append(exchange)
        elif isinstance(step, Reset):
            ledger.clear()
            entered.clear()
        else:
            _equal(ledger, entered)
        assert len(entered) == ledger.total
        assert entered[-ledger.limit :] == list(ledger)


def _equal(ledger: Ledger, entered: list[Exchange]) -> None:
    counts = ledger.counts()
    counted = {name: getattr(counts, name) for name in recount(entered)}

    assert recount(entered) == counted
    assert (counted["injected"], counted["hits"]) == (ledger.injected, ledger.hits)
    _fits(counts.latency, latencies(entered))


def _fits(summary: LatencySummary, ordered: list[float]) -> None:
    assert len(ordered) == summary.count
    assert math.isclose(sum(ordered), summary.sum_s, rel_tol=1e-9)
    assert (ordered[0], ordered[-1]) == (summary.min_s, summary.max_s) if ordered else True
    assert summary.min_s <= summary.p50_s <= summary.p95_s <= summary.p99_s <= summary.max_s
    told = {0.50: summary.p50_s, 0.95: summary.p95_s, 0.99: summary.p99_s}
    for share, told_s in told.items():
        true_s = quantile(ordered, share)
        assert math.isclose(true_s, told_s, rel_tol=ERROR_MAX, abs_tol=SHORTEST_S), share


@given(STEPS, st.integers(1, 5), st.integers(1, 5))
def test_counters_equal_the_ledger(steps: list[LedgerStep], limit: int, batch: int) -> None:
    """However small the ring and whenever I look, the counters know every request once."""
    counts_hold(lambda: Ledger(limit, batch=batch), steps)


@given(st.lists(exchanges(), max_size=12))
def test_what_is_served_is_what_was_counted(entered: list[Exchange]) -> None:
    """The JSON has the same keys always, sums agree with their parts, and nothing is NaN."""
    empty = stats(Ledger(1), in_flight=0, started_at_s=0.0, uptime_s=0.0)
    ledger = Ledger(3)
    for exchange in entered:
        ledger.add(exchange)
    said = stats(ledger, in_flight=0, started_at_s=0.0, uptime_s=0.0)

    assert (empty.keys(), empty["latency_s"].keys()) == (said.keys(), said["latency_s"].keys())
    assert {len(entered)} == {
        said["requests_total"],
        said["latency_s"]["count"],
        *(sum(said[by].values()) for by in ("statuses", "endings", "providers")),
    }
    assert sum(said["hits"].values()) == said["fault_hits_total"] <= said["faults_injected_total"]
    assert all(math.isfinite(number) for number in dataclasses.astuple(ledger.counts().latency))
    assert not re.search(r" (nan|inf)$", prometheus_text(said), re.MULTILINE)
