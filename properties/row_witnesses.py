"""What is on record of the rows of a pipeline, in the models' terms: ledger, network, pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache

from chaoscheck.components.openrouter_transform import RowQuery
from chaoscheck.components.query import AttemptEvent
from chaoscheck.history.exchange import Exchange
from chaoscheck.history.link_fault import LinkFault
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.notation import parse_fault
from models.llm_attempts import Disturbance, Request, Witnessed, witnessed
from models.pool import Attempt
from models.retry_after import asked_wait_s as seconds_asked

__all__ = [
    "SLOWEST_MS",
    "RowWitnesses",
    "asked_wait_s",
    "attempt_of",
    "fate_name",
    "faults_met",
    "key_of",
]

_fault = cache(parse_fault)  # each check reads the same few texts again
SLOWEST_MS = 50  # a packet takes at most so long in the machines of the pipeline


class RowWitnesses:
    """What the server's ledger, the network and the pool's log say, taken at one instant."""

    def __init__(
        self,
        ledger: Iterable[Exchange],
        link_faults: Iterable[LinkFault],
        events: Iterable[AttemptEvent],
    ) -> None:
        self.by_key: Mapping[str, list[Exchange]] = defaultdict(list)
        for exchange in sorted(ledger, key=lambda entry: entry.number):
            self.by_key[exchange.key].append(exchange)
        self._events: Mapping[int, list[AttemptEvent]] = defaultdict(list)
        for event in events:
            assert isinstance(event.query, RowQuery)
            self._events[event.query.ticket].append(event)
        self._disturbances = [*map(_of_the_link, link_faults), *self._refusals()]

    def of_row(self, text: str, ticket: int) -> list[Witnessed]:
        """The attempts of a row, each with what the server and the network know of it."""
        attempts = [attempt_of(event) for event in self._events[ticket]]
        requests = [
            Request(received_s=exchange.received_at_s, fault=fate_name(exchange))
            for exchange in self.by_key[key_of(text)]
        ]
        return witnessed(attempts, requests, self._disturbances)

    def may_be_lost(self, exchange: Exchange) -> bool:
        """Whether the link may have lost the answer of this exchange on its way to the client."""
        from_s, until_s = exchange.received_at_s, exchange.ended_at_s + SLOWEST_MS / 1000
        return any(each.from_s <= until_s and from_s <= each.until_s for each in self._disturbances)

    def _refusals(self) -> Iterable[Disturbance]:
        """Connections that the server reset upon accept; whose request was to go over one is
        not on record.
        """
        for exchange in self.by_key[""]:
            if exchange.fault_name == "refuse":
                yield Disturbance(
                    name="refuse",
                    from_s=exchange.received_at_s,
                    until_s=exchange.ended_at_s + SLOWEST_MS / 1000,
                )


def _of_the_link(fault: LinkFault) -> Disturbance:
    return Disturbance(name=fault.name, from_s=fault.from_s, until_s=fault.until_s)


def faults_met(row: Sequence[Witnessed], exchanges: Iterable[Exchange]) -> list[str]:
    """The faults of a row's requests, one name each, and what of the link disturbed it."""
    disturbed_by = {name for each in row for name in each.disturbed_by}
    return [*(one.fault_name for one in exchanges if one.fault_name), *sorted(disturbed_by)]


def key_of(text: str) -> str:
    """The idempotency key that the transform derives from a row's text."""
    return text.replace(" ", "%20")


def asked_wait_s(exchange: Exchange) -> float:
    """How long the server asked the client of this exchange to wait; 0 when it did not.

    From the arrival of the request: a date is told by it, and slow faults ask for nothing.
    """
    if exchange.fault is None or exchange.ended != "complete" or not exchange.effect:
        return 0.0
    fault = _fault(exchange.fault)
    return seconds_asked(fault.name, asdict(fault))


def fate_name(exchange: Exchange) -> str | None:
    """The fault of an exchange as the table of fates names it: with what it concerns."""
    if exchange.fault is None:
        return None
    fault = _fault(exchange.fault)
    concerns = fault.status if isinstance(fault, RetryAfterFault) else getattr(fault, "part", None)
    return f"{fault.name}:{concerns}" if concerns else fault.name


def attempt_of(event: AttemptEvent) -> Attempt:
    """The event as the model's own value."""
    return Attempt(
        query=event.query,
        number=event.number,
        submitted_s=event.submitted_s,
        started_s=event.started_s,
        ended_s=event.ended_s,
        outcome=event.outcome,
        retry_after_s=event.retry_after_s,
        own_delay_s=event.own_delay_s,
        delay_s=event.delay_s,
    )
