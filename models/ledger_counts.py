"""What a ledger must count: everything recounted from all exchanges that were ever entered.

No ring, no batches, no buckets: one pass over a list for each counter, as its sentence reads.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from chaoscheck.history.exchange import Exchange

__all__ = ["latencies", "quantile", "recount"]


def recount(entered: Sequence[Exchange]) -> dict[str, object]:
    """The counters of a ledger that was given these since it was made or cleared, by name."""
    return {
        "requests": len(entered),
        "rejected": sum(rejected(each) for each in entered),
        "streamed": sum(each.streamed for each in entered),
        "clients_left": sum(client_left(each) for each in entered),
        "bytes_sent": sum(each.bytes_sent for each in entered),
        "statuses": Counter(each.status for each in entered),
        "endings": Counter(each.ended for each in entered),
        "providers": Counter(each.provider for each in entered),
        "injected": injected(entered),
        "hits": injected(each for each in entered if each.effect),
    }


def rejected(exchange: Exchange) -> bool:
    """Whether it met no fault and was refused all the same, or was never a whole request."""
    refused = exchange.status is not None and exchange.status >= 400
    return exchange.fault_name is None and (refused or exchange.key == "")


def client_left(exchange: Exchange) -> bool:
    """Whether the client went away before its request or the answer was whole."""
    return exchange.ended in ("client_left", "stalled_until_left")


def injected(entered: Iterable[Exchange]) -> Counter[str]:
    """How often each fault was meant to happen."""
    return Counter(each.fault_name for each in entered if each.fault_name is not None)


def latencies(entered: Iterable[Exchange]) -> list[float]:
    """Seconds from each request to its end, shortest first."""
    return sorted(each.ended_at_s - each.received_at_s for each in entered)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Interpolated linearly at share * (n - 1); 0 of nothing."""
    if not ordered:
        return 0.0
    rank = share * (len(ordered) - 1)
    below, above = ordered[math.floor(rank)], ordered[math.ceil(rank)]
    return below + (rank - math.floor(rank)) * (above - below)
