"""Statistics: one value, as JSON and as Prometheus text."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from chaoscheck.history.exchange import Ending, Exchange
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.books.prometheus import prometheus_text
from chaoscheck.server.books.stats import Stats, stats
from properties.test_ledger_counters import EXCHANGE

FAULTY: tuple[Exchange, ...] = (
    EXCHANGE,
    EXCHANGE._replace(status=429, fault_name="status_429", effect=True),
    EXCHANGE._replace(status=None, fault_name="refuse", key="", provider=""),
    EXCHANGE._replace(status=404, provider="azure", bytes_sent=7),
    EXCHANGE._replace(status=None, key="", ended="client_left", ended_at_s=9.25),
    EXCHANGE._replace(streamed=True, ended="stalled_until_left", ended_at_s=1 / 3),
)


def _stats(*entered: Exchange) -> Stats:
    ledger = Ledger(2)
    for exchange in entered:
        ledger.add(exchange)
    return stats(ledger, in_flight=3, started_at_s=1.75e9, uptime_s=60.5)


def _samples(text: str) -> dict[tuple[str, str], float]:
    """Each sample as (name without prefix, label's value), as Prometheus reads it."""
    sample = re.compile(r'chaoscheck_(\w+)(?:\{\w+="((?:[^"\\]|\\.)*)"\})? (\S+)')
    found = [sample.fullmatch(line) for line in text.splitlines() if not line.startswith("#")]
    return {(each[1], each[2] or ""): float(each[3]) for each in found if each is not None}


def test_each_counter_counts_what_its_name_says() -> None:
    """Six requests of six kinds, and each number that comes of them."""
    said = _stats(*FAULTY)
    latency = said.pop("latency_s")  # type: ignore[misc]  # the rest is compared whole

    assert {
        "started_at_s": 1.75e9,
        "uptime_s": 60.5,
        "in_flight": 3,
        "requests_total": 6,
        "rejected_total": 2,
        "streamed_total": 1,
        "clients_left_total": 2,
        "bytes_sent_total": 507,
        "faults_injected_total": 2,
        "fault_hits_total": 1,
        "injected": {"refuse": 1, "status_429": 1},
        "hits": {"status_429": 1},
        "statuses": {"200": 2, "404": 1, "429": 1, "none": 2},
        "endings": {
            "complete": 4,
            "reset": 0,
            "closed": 0,
            "half_closed": 0,
            "client_left": 1,
            "stalled_until_left": 1,
            "server_stopped": 0,
        },
        "providers": {"azure": 1, "none": 1, "openai": 4},
        "ledger_kept": 2,
        "ledger_limit": 2,
    } == said
    assert (6, 1 / 3, 9.25) == (latency["count"], latency["min"], latency["max"])
    assert 0.5 == pytest.approx(latency["p50"], rel=0.05)


def test_an_empty_server_has_the_same_keys_and_zeros() -> None:
    """A dashboard never meets a missing key, a null or a NaN."""
    empty, full = _stats(), _stats(*FAULTY)

    assert list(full) == list(empty)
    assert dict.fromkeys(get_args(Ending), 0) == empty["endings"]
    assert {0} == set(empty["latency_s"].values())
    assert empty == json.loads(json.dumps(empty, allow_nan=False))


@pytest.mark.parametrize("entered", [(), FAULTY], ids=["empty", "full"])
def test_prometheus_says_the_numbers_of_the_json(entered: tuple[Exchange, ...]) -> None:
    """Every number of one is in the other, to the last digit, and there are no more."""
    said = _stats(*entered)
    latency = said["latency_s"]
    expected: dict[tuple[str, str], float] = {
        ("requests_total", ""): said["requests_total"],
        ("requests_rejected_total", ""): said["rejected_total"],
        ("requests_streamed_total", ""): said["streamed_total"],
        ("clients_left_total", ""): said["clients_left_total"],
        ("bytes_sent_total", ""): said["bytes_sent_total"],
        ("in_flight", ""): said["in_flight"],
        ("ledger_exchanges", ""): said["ledger_kept"],
        ("ledger_limit", ""): said["ledger_limit"],
        ("uptime_seconds", ""): said["uptime_s"],
        ("start_time_seconds", ""): said["started_at_s"],
        ("request_seconds", "0.5"): latency["p50"],
        ("request_seconds", "0.95"): latency["p95"],
        ("request_seconds", "0.99"): latency["p99"],
        ("request_seconds_sum", ""): latency["sum"],
        ("request_seconds_count", ""): latency["count"],
        ("request_min_seconds", ""): latency["min"],
        ("request_max_seconds", ""): latency["max"],
    }
    families = {
        "faults_injected_total": said["injected"],
        "fault_hits_total": said["hits"],
        "responses_total": said["statuses"],
        "endings_total": said["endings"],
        "provider_requests_total": said["providers"],
    }
    for name, counts in families.items():
        expected.update({(name, label): count for label, count in counts.items()})

    assert expected == _samples(prometheus_text(said))


def test_each_family_is_described_once_and_before_its_samples() -> None:
    """A scraper takes the text: HELP, TYPE, then samples of that name, in one block."""
    text = prometheus_text(_stats(*FAULTY))
    blocks = re.split(r"^# HELP ", text, flags=re.MULTILINE)[1:]
    names = [block.split()[0] for block in blocks]

    assert text.endswith("\n")
    assert len(set(names)) == len(names)
    for name, block in zip(names, blocks, strict=True):
        kind, *samples = block.splitlines()[1:]
        assert re.fullmatch(rf"# TYPE {name} (counter|gauge|summary)", kind)
        assert all(re.match(rf"{name}(_sum|_count)?[ {{]", sample) for sample in samples)
        assert name.endswith("_total") == kind.endswith(" counter")


def test_labels_are_escaped() -> None:
    """No fault's name breaks the text."""
    odd = EXCHANGE._replace(fault_name='a"b\\c\nd')

    assert 'fault="a\\"b\\\\c\\nd"} 1\n' in prometheus_text(_stats(odd))
