"""Stored error details equal the injected fault: status, kind and body digest.

Two comparisons make one: the error of a row repeats the newest failed call of its own state, and
every failed call repeats what the server's ledger says about the exchange with its id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.history.audit import AuditedCall, AuditedError, AuditHistory
from chaoscheck.history.exchange import Exchange

__all__ = ["errors_equal_faults"]

# A fault by its name (None: no fault) to the kinds of failure that it may lawfully be; "ok" is
# the word for no failure.
Kinds = Mapping[str | None, Collection[str]]


def _any(exchange: Exchange) -> bool:
    """Nothing is known of the link: it may have disturbed any exchange."""
    return True


def errors_equal_faults(
    audit: AuditHistory,
    ledger: Sequence[Exchange],
    kinds: Kinds,
    *,
    disturbed: Callable[[Exchange], bool] = _any,
) -> Verdict:
    """Judge the errors in ``audit`` against the faults in ``ledger``.

    ``kinds["link"]`` is what a failure may be that the link caused, on the way there or back:
    only of an exchange that the link may have ``disturbed``, by default of any. A
    call without a kind claims success only where it is the last one of a completed state: a
    process may have died between the end of a call and its own judgement of it.
    """
    exchanges = {exchange.attempt_id: exchange for exchange in ledger}
    claimed = _claimed_successes(audit)
    breaches: list[Breach] = []
    for call in audit.calls:
        kind = call.failure_kind or ("ok" if call.attempt_id in claimed else None)
        exchange = exchanges.get(call.attempt_id)
        breaches += _status_apart(call, exchange)
        if kind is not None:
            by_link = exchange is None or disturbed(exchange)
            breaches += _kind_apart(call, kind, exchange, kinds, by_link=by_link)
    newest = _newest_failed(audit)
    for error in audit.errors:
        breaches += _error_apart(error, newest.get(error.state_id))
    return Verdict.of(tuple(breaches))


def _newest_failed(audit: AuditHistory) -> dict[str, AuditedCall]:
    newest: dict[str, AuditedCall] = {}
    for call in sorted(audit.calls, key=lambda call: call.call_index):
        if call.failure_kind is not None:
            newest[call.state_id] = call
    return newest


def _claimed_successes(audit: AuditHistory) -> set[str]:
    completed = {state.state_id for state in audit.states if state.status == "completed"}
    last: dict[str, AuditedCall] = {}
    for call in sorted(audit.calls, key=lambda call: call.call_index):
        last[call.state_id] = call
    return {last[state_id].attempt_id for state_id in completed & set(last)}


def _kind_apart(
    call: AuditedCall, kind: str, exchange: Exchange | None, kinds: Kinds, *, by_link: bool
) -> Iterator[Breach]:
    name = "link" if exchange is None else exchange.fault_name
    spoilt = by_link and call.status != "ok"
    lawful = {*kinds[name], *(kinds["link"] if spoilt else ())}
    if kind not in lawful:
        yield Breach(
            law="kind_of_the_fault",
            what=f"call {call.attempt_id} is {kind} after {name}, which may be {sorted(lawful)}",
            evidence=(call, exchange),
        )


def _status_apart(call: AuditedCall, exchange: Exchange | None) -> Iterator[Breach]:
    if call.status_code is None or exchange is None or exchange.status is None:
        return
    if exchange.status != call.status_code:
        yield Breach(
            law="status_of_the_fault",
            what=f"call {call.attempt_id} has status {call.status_code}, the server sent "
            f"{exchange.status}",
            evidence=(call, exchange),
        )


def _error_apart(error: AuditedError, call: AuditedCall | None) -> Iterator[Breach]:
    stored = (error.attempt_id, error.status_code, error.kind, error.body_digest)
    truth: tuple[str | int | None, ...] = (None, None, None, None)
    if call is not None:
        truth = (call.attempt_id, call.status_code, call.failure_kind, call.body_digest)
    if stored != truth:
        yield Breach(
            law="error_of_its_own_call",
            what=f"the error of token {error.token_id} stores {stored}, its call is {truth}",
            evidence=(error, call),
        )
    if error.stated_status not in (None, error.status_code):
        yield Breach(
            law="status_as_the_row_saw_it",
            what=f"the details of token {error.token_id} name status {error.stated_status}, "
            f"its call has {error.status_code}",
            evidence=(error, call),
        )
