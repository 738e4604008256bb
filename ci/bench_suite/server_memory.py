"""Memory of the chaos server over many requests of different keys: it must level off."""

from __future__ import annotations

from collections.abc import Iterator

from metric import Metric
from server.driver import Server, chat_request, drive, started

__all__ = ["memory_metrics"]

WARM_KEYS = 50_000  # by then, everything that is bounded is full
KEYS = 250_000
GROWTH_MAX_PERCENT = 5.0


def memory_metrics() -> Iterator[Metric]:
    """Growth of the resident memory between 50 000 and 250 000 distinct keys."""
    questions = _questions()
    with started("chaos") as server:
        warm_bytes = _after(server, questions, WARM_KEYS)
        full_bytes = _after(server, questions, KEYS - WARM_KEYS)
    yield Metric(
        name=f"memory, {KEYS} keys, growth after {WARM_KEYS}",
        value=(full_bytes / warm_bytes - 1) * 100,
        unit="%",
        target=GROWTH_MAX_PERCENT,
        at_least=False,
        note=f"{warm_bytes / 1e6:.1f} MB, {full_bytes / 1e6:.1f} MB",
    )


def _questions() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        asked = b'{"model": "m", "messages": [{"role": "user", "content": "number %d"}]}' % number
        yield chat_request(asked)


def _after(server: Server, questions: Iterator[bytes], times: int) -> int:
    run = drive(server, questions, times)
    if run.whole < times:
        raise RuntimeError(f"{run.broken} of {times} requests were not answered")
    return server.rss_bytes()
