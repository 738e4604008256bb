"""Statistics in Prometheus's text format 0.0.4, number for number those of the JSON.

Format: Prometheus documentation, "Exposition formats", text-based format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from chaoscheck.server.books.stats import LatencyStats, Stats

__all__ = ["CONTENT_TYPE", "prometheus_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Number = int | float
_Kind = Literal["counter", "gauge", "summary"]


def prometheus_text(stats: Stats) -> str:
    """Every number of ``stats`` but the two sums over faults, which Prometheus sums itself."""
    return "".join(f"{line}\n" for line in _lines(stats))


def _lines(stats: Stats) -> Iterator[str]:
    yield from _one("counter", "requests_total", "Requests that ended.", stats["requests_total"])
    yield from _one(
        "counter",
        "requests_rejected_total",
        "Requests refused by no fault: a status from 400 on, or not understood.",
        stats["rejected_total"],
    )
    yield from _one(
        "counter", "requests_streamed_total", "Answers as events.", stats["streamed_total"]
    )
    yield from _one(
        "counter",
        "clients_left_total",
        "Clients that left before their request or its answer was whole.",
        stats["clients_left_total"],
    )
    yield from _one(
        "counter", "bytes_sent_total", "Bytes sent, heads included.", stats["bytes_sent_total"]
    )
    yield from _many("faults_injected_total", "Faults meant to happen.", "fault", stats["injected"])
    yield from _many("fault_hits_total", "Faults that had an effect.", "fault", stats["hits"])
    yield from _many("responses_total", "Requests by status sent.", "status", stats["statuses"])
    yield from _many("endings_total", "Requests by how they ended.", "ended", stats["endings"])
    yield from _many(
        "provider_requests_total", "Requests by provider.", "provider", stats["providers"]
    )
    yield from _latency(stats["latency_s"])
    yield from _one("gauge", "in_flight", "Requests under way.", stats["in_flight"])
    yield from _one("gauge", "ledger_exchanges", "Exchanges kept.", stats["ledger_kept"])
    yield from _one("gauge", "ledger_limit", "Exchanges kept at most.", stats["ledger_limit"])
    yield from _one("gauge", "uptime_seconds", "Since the server started.", stats["uptime_s"])
    yield from _one(
        "gauge", "start_time_seconds", "Start, since the Unix epoch.", stats["started_at_s"]
    )


def _one(kind: _Kind, name: str, about: str, value: _Number) -> Iterator[str]:
    return _family(kind, name, about, [(f"chaoscheck_{name}", value)])


def _many(name: str, about: str, label: str, values: Mapping[str, int]) -> Iterator[str]:
    samples = [
        (f'chaoscheck_{name}{{{label}="{_escaped(labelled)}"}}', value)
        for labelled, value in values.items()
    ]
    return _family("counter", name, about, samples)


def _latency(latency: LatencyStats) -> Iterator[str]:
    name = "chaoscheck_request_seconds"
    samples: list[tuple[str, _Number]] = [
        (f'{name}{{quantile="0.5"}}', latency["p50"]),
        (f'{name}{{quantile="0.95"}}', latency["p95"]),
        (f'{name}{{quantile="0.99"}}', latency["p99"]),
        (f"{name}_sum", latency["sum"]),
        (f"{name}_count", latency["count"]),
    ]
    yield from _family("summary", "request_seconds", "From request to end.", samples)
    yield from _one("gauge", "request_min_seconds", "The shortest.", latency["min"])
    yield from _one("gauge", "request_max_seconds", "The longest.", latency["max"])


def _family(
    kind: _Kind, name: str, about: str, samples: Iterable[tuple[str, _Number]]
) -> Iterator[str]:
    yield f"# HELP chaoscheck_{name} {about}"
    yield f"# TYPE chaoscheck_{name} {kind}"
    for sample, value in samples:
        yield f"{sample} {value!r}"  # Its repr is the shortest text that reads back as the number.


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
