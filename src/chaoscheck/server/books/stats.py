"""Statistics of a server as one JSON-able value, whose keys are the same empty and full.

Prometheus text is made of this value, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypedDict, get_args

from chaoscheck.history.exchange import Ending
from chaoscheck.server.books.latency_histogram import LatencySummary
from chaoscheck.server.books.ledger import Ledger

__all__ = ["NONE", "LatencyStats", "Observed", "Stats", "stats", "stats_of"]

NONE = "none"  # what stands for no status and for no provider


class LatencyStats(TypedDict):
    """Seconds from a request to its end; all are 0 while ``count`` is. Percentiles within 5 %."""

    count: int
    sum: float
    min: float
    max: float
    p50: float
    p95: float
    p99: float


class Stats(TypedDict):
    """What a server did since its start or last reset; see ``LedgerCounts`` for what counts.

    ``started_at_s`` is in seconds since the Unix epoch, ``uptime_s`` in seconds. ``statuses`` has
    "none" for answers without a whole head, ``providers`` for connections that asked for nothing,
    and ``endings`` has every ending there is.
    """

    started_at_s: float
    uptime_s: float
    in_flight: int
    requests_total: int
    rejected_total: int
    streamed_total: int
    clients_left_total: int
    bytes_sent_total: int
    faults_injected_total: int
    fault_hits_total: int
    injected: dict[str, int]
    hits: dict[str, int]
    statuses: dict[str, int]
    endings: dict[str, int]
    providers: dict[str, int]
    latency_s: LatencyStats
    ledger_kept: int
    ledger_limit: int


class Observed(Protocol):
    """A server as far as statistics are made of it."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def started_at_s(self) -> float:
        """When it began to serve, in seconds since the Unix epoch; 0 before."""

    @property
    def uptime_s(self) -> float:
        """Seconds since then; 0 before."""


def stats_of(server: Observed) -> Stats:
    """The statistics of a server, all as of one instant."""
    return stats(
        server.ledger,
        in_flight=server.in_flight,
        started_at_s=server.started_at_s,
        uptime_s=server.uptime_s,
    )


def stats(ledger: Ledger, *, in_flight: int, started_at_s: float, uptime_s: float) -> Stats:
    """The statistics of a server with this ledger."""
    counts = ledger.counts()
    endings: dict[str, int] = {ending: counts.endings[ending] for ending in get_args(Ending)}
    statuses = {NONE if it is None else str(it): n for it, n in counts.statuses.items()}
    return Stats(
        started_at_s=started_at_s,
        uptime_s=uptime_s,
        in_flight=in_flight,
        requests_total=counts.requests,
        rejected_total=counts.rejected,
        streamed_total=counts.streamed,
        clients_left_total=counts.clients_left,
        bytes_sent_total=counts.bytes_sent,
        faults_injected_total=counts.injected.total(),
        fault_hits_total=counts.hits.total(),
        injected=_by_name(counts.injected),
        hits=_by_name(counts.hits),
        statuses=_by_name(statuses),
        endings=endings,
        providers=_by_name({it or NONE: n for it, n in counts.providers.items()}),
        latency_s=_latency(counts.latency),
        ledger_kept=len(ledger),
        ledger_limit=ledger.limit,
    )


def _by_name(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _latency(summary: LatencySummary) -> LatencyStats:
    return LatencyStats(
        count=summary.count,
        sum=summary.sum_s,
        min=summary.min_s,
        max=summary.max_s,
        p50=summary.p50_s,
        p95=summary.p95_s,
        p99=summary.p99_s,
    )
