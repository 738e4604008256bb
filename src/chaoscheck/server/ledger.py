"""The ledger: the newest exchanges, and counters that outlive them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import overload

from chaoscheck.errors import PlanError
from chaoscheck.history.exchange import Exchange

__all__ = ["Ledger"]


class Ledger(Sequence[Exchange]):
    """A ring of exchanges in the order they ended; ``total`` counts those it dropped, too.

    ``injected`` counts the faults that were meant to happen, by name, ``hits`` those that were
    seen to have an effect.
    """

    def __init__(self, limit: int) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise PlanError(f"ledger_limit must be an integer >= 1, got {limit!r}")
        self._ring: deque[Exchange] = deque(maxlen=limit)
        self.total = 0
        self.injected: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()

    def add(self, exchange: Exchange) -> None:
        """Enter one finished exchange."""
        self._ring.append(exchange)
        self.total += 1
        if exchange.fault_name is not None:
            self.injected[exchange.fault_name] += 1
            if exchange.effect:
                self.hits[exchange.fault_name] += 1

    def __len__(self) -> int:
        return len(self._ring)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._ring)

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        if isinstance(index, slice):
            return list(self._ring)[index]
        return self._ring[index]
