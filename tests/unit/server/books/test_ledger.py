"""The ledger: a ring, counters that outlive it, and wrong ones that the law catches."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

from chaoscheck.errors import PlanError
from chaoscheck.history.exchange import Exchange
from chaoscheck.server.books.latency_histogram import RELATIVE_ERROR, LatencyHistogram
from chaoscheck.server.books.ledger import Ledger
from models.ledger_counts import quantile
from properties.test_ledger_counters import EXCHANGE, STEPS, LedgerStep, counts_hold


def _numbered(count: int) -> list[Exchange]:
    return [EXCHANGE._replace(number=number) for number in range(1, count + 1)]


def _ledger_of(entered: list[Exchange], limit: int = 10) -> Ledger:
    ledger = Ledger(limit)
    for exchange in entered:
        ledger.add(exchange)
    return ledger


# ---------------------------------------------------------------------- the ring


def test_a_ring_keeps_the_newest_and_counts_them_all() -> None:
    """A soak does not eat the memory; the counters still know everything."""
    entered = _numbered(5)
    ledger = _ledger_of(entered, limit=2)

    assert (entered[3:], 2, 2, 5) == (list(ledger), len(ledger), ledger.limit, ledger.total)
    assert (entered[4], [entered[3]]) == (ledger[-1], ledger[:1])


@pytest.mark.parametrize(("count", "kept"), [(0, []), (1, [3]), (2, [2, 3]), (9, [1, 2, 3])])
def test_the_newest_come_oldest_first(count: int, kept: list[int]) -> None:
    """I can ask for the end of the ledger only."""
    assert kept == [each.number for each in _ledger_of(_numbered(3)).newest(count)]


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "2"])
def test_a_ledger_that_keeps_nothing_is_refused(limit: int) -> None:
    """A limit must be an integer from 1 on, and the message says so."""
    with pytest.raises(PlanError, match=r"ledger_limit must be an integer >= 1"):
        Ledger(limit)


def test_counters_are_copies() -> None:
    """Whatever I do to a counter that I was given, the ledger is right."""
    ledger = _ledger_of([EXCHANGE._replace(fault_name="refuse", effect=True)])
    ledger.injected.clear()
    ledger.hits["refuse"] = 9

    assert (Counter(refuse=1), Counter(refuse=1)) == (ledger.injected, ledger.hits)


def test_a_sink_gets_each_exchange_and_keeps_it_over_a_reset() -> None:
    """Every exchange reaches the file once, in order, whatever becomes of the ring."""
    kept: list[Exchange] = []
    ledger = Ledger(1, sink=kept.append)
    entered = _numbered(3)
    for exchange in entered:
        ledger.add(exchange)
    ledger.clear()

    assert (entered, 0, 0) == (kept, ledger.total, len(ledger))


def test_another_thread_may_look_at_any_time() -> None:
    """A test on its own thread reads counters while the server enters: none is lost or doubled."""
    ledger = Ledger(5, batch=7)
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(ledger.counts().requests)
            list(ledger)

    reader = threading.Thread(target=look)
    reader.start()
    for exchange in _numbered(5000):
        ledger.add(exchange)
    done.set()
    reader.join()

    assert (5000, 5000) == (ledger.counts().requests, ledger.total)
    assert sorted(seen) == seen


# ---------------------------------------------------------------------- wrong ledgers


class ForgetsAtOverflow(Ledger):
    """Breaks "counters outlive the ring": what the ring drops before it was counted is lost."""

    def add(self, exchange: Exchange) -> None:
        super().add(exchange)
        del self._put_aside[: -self.limit]


class CountsTwiceWhenReadTwice(Ledger):
    """Breaks "once": a read counts what was put aside, and leaves it there."""

    def _fold_now(self) -> None:
        put_aside = self._put_aside[:]
        super()._fold_now()
        self._put_aside[:] = put_aside


class CountsRefusedTwice(Ledger):
    """Breaks "once": a request that was refused is entered by whoever refused it, too."""

    def add(self, exchange: Exchange) -> None:
        super().add(exchange)
        if exchange.key == "":
            self._put_aside.append(exchange)


class RemembersOverAReset(Ledger):
    """Breaks "since it was cleared": a reset empties the ring alone."""

    def clear(self) -> None:
        self._ring.clear()


class CountsMeantAsHit(Ledger):
    """Breaks "hits had an effect": what was injected is what hit."""

    @property
    def hits(self) -> Counter[str]:
        return self.injected


class DropsTheNewest(Ledger):
    """Breaks "the newest are kept": a full ring takes nothing more."""

    def add(self, exchange: Exchange) -> None:
        kept = list(self._ring)
        super().add(exchange)
        if len(kept) == self.limit:
            self._ring.extend(kept)


@pytest.mark.parametrize(
    "wrong",
    [
        ForgetsAtOverflow,
        CountsTwiceWhenReadTwice,
        CountsRefusedTwice,
        RemembersOverAReset,
        CountsMeantAsHit,
        DropsTheNewest,
    ],
    ids=lambda wrong: wrong.__name__,
)
def test_the_law_catches_a_wrong_ledger(wrong: type[Ledger]) -> None:
    """The same check that our ledger passes finds each of these out."""
    assert _breaks(wrong)


def _breaks(kind: type[Ledger]) -> bool:
    def broken(steps: list[LedgerStep]) -> bool:
        try:
            counts_hold(lambda: kind(2, batch=4), steps)
        except AssertionError:
            return True
        return False

    try:
        find(STEPS, broken, settings=settings(phases=[Phase.generate], database=None))
    except NoSuchExample:
        return False
    return True


# ---------------------------------------------------------------------- latencies


def test_quantiles_are_within_five_percent_over_thirteen_decades() -> None:
    """From 2 µs to two years I get the same relative precision, and the ends exactly."""
    seconds = [2e-6 * 1.37**step for step in range(100)]
    histogram = LatencyHistogram()
    histogram.add_all(seconds)

    for share in (0.0, 0.25, 0.5, 0.95, 0.99, 1.0):
        true_s = quantile(seconds, share)
        assert true_s == pytest.approx(histogram.quantile_s(share), rel=RELATIVE_ERROR + 1e-9)
    assert (seconds[0], seconds[-1]) == (histogram.min_s, histogram.max_s)


def test_a_histogram_stays_small() -> None:
    """Thousands of distinct latencies, absurd ones too, take less than 400 buckets."""
    histogram = LatencyHistogram()
    histogram.add_all([0.0, 1e-9, 1e12, *(1e-7 * 1.01**step for step in range(4000))])

    assert len(histogram._buckets) < 400
    assert (4003, 0.0, 1e12) == (histogram.count, histogram.min_s, histogram.max_s)


@pytest.mark.parametrize("bad", [-1e-9, float("nan"), float("inf"), float("-inf")])
def test_an_impossible_latency_is_refused_and_nothing_counted(bad: float) -> None:
    """A negative or endless latency is a mistake, not a number to average over."""
    histogram = LatencyHistogram()

    with pytest.raises(PlanError, match="finite and >= 0 s, got"):
        histogram.add_all([1.0, bad, 2.0])
    assert (0, 0.0) == (histogram.count, histogram.quantile_s(0.5))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_the_unit_is_refused(share: float) -> None:
    """Percent are not shares."""
    with pytest.raises(PlanError, match=r"must be in \[0, 1\]"):
        LatencyHistogram().quantile_s(share)
