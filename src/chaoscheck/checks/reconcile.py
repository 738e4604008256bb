"""The three-way reconcile: rows in, calls in the audit, exchanges in the server's ledger.

(a) The ids in the ledger are ids in the audit. (b) An audited call without a ledger entry ended
in a transport error or is unknown. (c) Every ok call matches exactly one fully sent entry with
the same status and body digest. (d) Every row has exactly one terminal outcome. (a) and (c) hold
at every instant, the rest once nothing is under way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.history.audit import AuditedCall, AuditedState, AuditHistory
from chaoscheck.history.exchange import Exchange

__all__ = ["reconcile"]

When = Literal["at_rest", "any_time"]

_OUTCOME_OF: Mapping[str, frozenset[str]] = {
    "completed": frozenset({"completed"}),
    "failed": frozenset({"failed"}),
    "evicted": frozenset({"failed"}),
}


def reconcile(
    audit: AuditHistory,
    ledger: Sequence[Exchange],
    *,
    when: When = "at_rest",
    rows_in: int | None = None,
    ledger_total: int | None = None,
) -> Verdict:
    """Judge ``audit`` against the ``ledger`` of the server that its calls went to.

    ``rows_in`` is how many rows were handed over (None: not judged). ``ledger_total`` is how many
    exchanges the server ever had: where the ledger has dropped some, a missing entry is UNKNOWN.
    """
    entries: defaultdict[str | None, list[Exchange]] = defaultdict(list)
    for exchange in ledger:
        entries[exchange.attempt_id].append(exchange)
    breaches = [*_unaudited(audit, entries), *_states_apart(audit)]
    undecided: list[Breach] = []
    dropped = ledger_total is not None and ledger_total > len(ledger)
    for call in audit.calls:
        missing = undecided if dropped and not entries[call.attempt_id] else breaches
        missing += _call_apart(call, entries[call.attempt_id], when)
    if when == "at_rest":
        breaches += [*_rows_apart(audit, rows_in), *_unfinished(audit)]
    return Verdict.of(tuple(breaches), tuple(undecided))


def _unaudited(
    audit: AuditHistory, entries: Mapping[str | None, list[Exchange]]
) -> Iterator[Breach]:
    """(a): every request that the server understood is a call of the audit."""
    audited = {call.attempt_id for call in audit.calls}
    for attempt_id, exchanges in entries.items():
        # A request that broke off before its headers were read has neither key nor id.
        understood = [one for one in exchanges if one.key or one.attempt_id is not None]
        if understood and attempt_id not in audited:
            named = "no attempt id" if attempt_id is None else f"id {attempt_id}"
            yield Breach(
                law="ledger_in_audit",
                what=f"the server saw {len(understood)} requests with {named}, the audit none",
                evidence=tuple(understood),
            )


def _call_apart(call: AuditedCall, exchanges: list[Exchange], when: When) -> Iterator[Breach]:
    """(b) and (c), for one call and the ledger's entries under its id."""
    evidence = (call, *exchanges)
    if len(exchanges) > 1:
        yield Breach(
            law="one_entry_per_call",
            what=f"call {call.attempt_id} was sent {len(exchanges)} times under one id",
            evidence=evidence,
        )
        return
    if call.status == "ok" and not any(_is_its_reply(call, one) for one in exchanges):
        yield Breach(
            law="ok_call_was_sent",
            what=f"call {call.attempt_id} is ok, but the ledger has no whole reply like it",
            evidence=evidence,
        )
    if call.status == "pending" and when == "at_rest":
        yield Breach(
            law="no_call_pending",
            what=f"call {call.attempt_id} is pending although nothing is under way",
            evidence=evidence,
        )


def _is_its_reply(call: AuditedCall, exchange: Exchange) -> bool:
    whole = exchange.status is not None and exchange.body_sent == exchange.body_length
    same = (call.status_code, call.body_digest) == (exchange.status, exchange.body_digest)
    return whole and same


def _states_apart(audit: AuditHistory) -> Iterator[Breach]:
    """Calls and errors belong to states that are there, and stand there without a gap."""
    known = {state.state_id for state in audit.states}
    places: defaultdict[str, list[int]] = defaultdict(list)
    for call in audit.calls:
        places[call.state_id].append(call.call_index)
    for state_id, indexes in places.items():
        if state_id not in known or sorted(indexes) != list(range(len(indexes))):
            yield Breach(
                law="calls_of_a_state",
                what=f"state {state_id} has calls at places {sorted(indexes)}",
                evidence=tuple(call for call in audit.calls if call.state_id == state_id),
            )


def _rows_apart(audit: AuditHistory, rows_in: int | None) -> Iterator[Breach]:
    """(d): rows in = terminal outcomes out."""
    if rows_in is not None and len(audit.rows) != rows_in:
        yield Breach(
            law="rows_in_audit",
            what=f"{rows_in} rows went in, the audit has {len(audit.rows)}",
            evidence=(rows_in, len(audit.rows)),
        )
    states: defaultdict[str, list[AuditedState]] = defaultdict(list)
    for state in audit.states:
        states[state.token_id].append(state)
    for row in audit.rows:
        if len(row.tokens) != 1 or len(row.outcomes) != 1:
            yield Breach(
                law="one_outcome_per_row",
                what=f"row {row.row_index} has {len(row.tokens)} tokens and the outcomes "
                f"{list(row.outcomes)}",
                evidence=(row,),
            )
            continue
        last = max(states[row.tokens[0]], key=lambda state: state.attempt, default=None)
        if last is None or last.status not in _OUTCOME_OF.get(row.outcomes[0], ()):
            yield Breach(
                law="outcome_of_the_last_state",
                what=f"row {row.row_index} is {row.outcomes[0]}, its last state "
                f"{'missing' if last is None else last.status}",
                evidence=(row, last),
            )


def _unfinished(audit: AuditHistory) -> Iterable[Breach]:
    """At rest no state is open or pending, and every failed row has its one error."""
    for state in audit.states:
        if state.status in ("open", "pending"):
            yield Breach(
                law="no_state_open",
                what=f"state {state.state_id} is {state.status} although nothing is under way",
                evidence=(state,),
            )
    failed = sorted(
        token for row in audit.rows if row.outcomes == ("failed",) for token in row.tokens
    )
    if failed != sorted(error.token_id for error in audit.errors):
        yield Breach(
            law="one_error_per_failed_row",
            what=f"{len(failed)} rows failed, the audit has {len(audit.errors)} errors",
            evidence=(*failed, *audit.errors),
        )
