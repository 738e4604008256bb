"""The ledger: the newest exchanges, and counters that outlive them.

Entering is the server's hot path, so an exchange is only put aside; the counters take what was
put aside in one go, when they are read or ``batch`` exchanges wait. What they keep is one count
for each distinct outcome, of which every counter is a sum: so no two of them can disagree.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from chaoscheck.errors import PlanError
from chaoscheck.history.exchange import Ending, Exchange
from chaoscheck.server.books.latency_histogram import LatencyHistogram, LatencySummary
from chaoscheck.server.internal_errors import report

__all__ = ["Ledger", "LedgerCounts"]

BATCH = 512  # exchanges; folding as many takes 0.2 ms

# (status, fault name, effect, ending, provider, streamed, understood)
_Outcome = tuple[int | None, str | None, bool, Ending, str, bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCounts:
    """What the ledger counted since it was made or cleared, all at one instant.

    ``requests`` counts every entry, a connection that met a fault before it asked included.
    ``rejected`` are those that met no fault and were answered with a status from 400 on, or were
    not understood, or not whole. ``clients_left`` went away before their request or its answer
    was whole. ``injected`` counts faults by name, ``hits`` those that had an effect. A status is
    None where no whole head was sent; a provider is empty where nothing was asked.
    ``latency`` is of the seconds between request and end.
    """

    requests: int
    rejected: int
    streamed: int
    clients_left: int
    bytes_sent: int
    statuses: Counter[int | None]
    endings: Counter[Ending]
    providers: Counter[str]
    injected: Counter[str]
    hits: Counter[str]
    latency: LatencySummary


class Ledger(Sequence[Exchange]):
    """A ring of ``limit`` exchanges in the order they ended, and the counts of all.

    Each exchange is handed to ``sink``, too, whose errors are logged. One thread enters; any
    thread may read. The counters that properties and ``counts`` give are copies.
    """

    def __init__(
        self,
        limit: int,
        *,
        sink: Callable[[Exchange], object] | None = None,
        batch: int = BATCH,
    ) -> None:
        self._batch = _at_least_one("ledger batch", batch)
        self._ring: deque[Exchange] = deque(maxlen=_at_least_one("ledger_limit", limit))
        self._sink = sink
        self._folding = threading.Lock()
        self._put_aside: list[Exchange] = []
        self._start_counting()

    def add(self, exchange: Exchange) -> None:
        """Enter one finished exchange."""
        self._ring.append(exchange)
        put_aside = self._put_aside
        put_aside.append(exchange)
        if len(put_aside) >= self._batch:
            self._fold()
        if self._sink is not None:
            try:
                self._sink(exchange)
            except Exception as error:  # A sink is the user's; its error must not end the server.
                report(error)

    def clear(self) -> None:
        """Forget every exchange and count; what the sink was given is its own."""
        with self._folding:
            self._ring.clear()
            self._put_aside.clear()
            self._start_counting()

    @property
    def limit(self) -> int:
        """How many exchanges are kept."""
        return self._ring.maxlen or 0

    @property
    def total(self) -> int:
        """How many exchanges were entered, those that the ring dropped included."""
        with self._folding:
            return self._folded + len(self._put_aside)

    @property
    def injected(self) -> Counter[str]:
        """Faults that were meant to happen, by name."""
        self._fold()
        return _summed((outcome[1], count) for outcome, count in list(self._outcomes.items()))

    @property
    def hits(self) -> Counter[str]:
        """Faults that were seen to have an effect, by name."""
        self._fold()
        outcomes = list(self._outcomes.items())
        return _summed((outcome[1], count) for outcome, count in outcomes if outcome[2])

    def counts(self) -> LedgerCounts:
        """Every counter, as of one instant."""
        with self._folding:
            self._fold_now()
            return _counts(self._outcomes, self._bytes_sent, self._latency.summary())

    def newest(self, count: int) -> list[Exchange]:
        """The newest ``count`` exchanges that are kept, oldest first."""
        kept = list(self._ring)
        return kept[max(0, len(kept) - count) :]

    def __len__(self) -> int:
        return len(self._ring)

    def __iter__(self) -> Iterator[Exchange]:
        # Over a copy: the server may enter exchanges on its own thread meanwhile.
        return iter(list(self._ring))

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        if isinstance(index, slice):
            return list(self._ring)[index]
        return self._ring[index]

    def _start_counting(self) -> None:
        self._folded = 0
        self._bytes_sent = 0
        self._outcomes: Counter[_Outcome] = Counter()
        self._latency = LatencyHistogram()

    def _fold(self) -> None:
        if self._put_aside:
            with self._folding:
                self._fold_now()

    def _fold_now(self) -> None:
        # The list stays the same object, and only what was looked at leaves it: an exchange that
        # another thread enters meanwhile is neither lost nor counted twice.
        batch = self._put_aside[:]
        if not batch:
            return
        self._outcomes.update([_outcome(exchange) for exchange in batch])
        self._bytes_sent += sum([exchange.bytes_sent for exchange in batch])
        self._latency.add_all([each.ended_at_s - each.received_at_s for each in batch])
        self._folded += len(batch)
        del self._put_aside[: len(batch)]


def _at_least_one(name: str, value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PlanError(f"{name} must be an integer >= 1, got {value!r}")
    return value


def _outcome(exchange: Exchange) -> _Outcome:
    return (
        exchange.status,
        exchange.fault_name,
        exchange.effect,
        exchange.ended,
        exchange.provider,
        exchange.streamed,
        exchange.key != "",
    )


def _summed(pairs: Iterator[tuple[str | None, int]]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for name, count in pairs:
        if name is not None:
            summed[name] += count
    return summed


def _counts(outcomes: Counter[_Outcome], bytes_sent: int, latency: LatencySummary) -> LedgerCounts:
    statuses: Counter[int | None] = Counter()
    endings: Counter[Ending] = Counter()
    providers: Counter[str] = Counter()
    rejected = streamed_count = 0
    for (status, fault, _, ended, provider, streamed, understood), count in outcomes.items():
        statuses[status] += count
        endings[ended] += count
        providers[provider] += count
        streamed_count += count * streamed
        if fault is None and (not understood or (status or 0) >= 400):
            rejected += count
    return LedgerCounts(
        requests=endings.total(),
        rejected=rejected,
        streamed=streamed_count,
        clients_left=endings["client_left"] + endings["stalled_until_left"],
        bytes_sent=bytes_sent,
        statuses=statuses,
        endings=endings,
        providers=providers,
        injected=_summed((outcome[1], count) for outcome, count in outcomes.items()),
        hits=_summed((outcome[1], count) for outcome, count in outcomes.items() if outcome[2]),
        latency=latency,
    )
