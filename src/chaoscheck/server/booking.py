"""What became of a job, as the ledger has it."""

from __future__ import annotations

import functools
import hashlib

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import KEY_LENGTH_MAX
from chaoscheck.server.job import HEAD_END, Job
from chaoscheck.server.script import had_effect

__all__ = ["exchange_of"]

_CUT = ("client_left", "server_stopped")  # endings at any moment of a script


def exchange_of(job: Job, now_s: float) -> Exchange:
    """The exchange of a job that ended now; settles whether its fault had an effect."""
    if job.totals is not None:
        job.count_sent()
    wire = job.sent[0] if len(job.sent) == 1 else b"".join(job.sent)
    # A fault may have rewritten the head, so where that ends is seen from what was sent.
    head_bytes = wire.find(HEAD_END) + len(HEAD_END) if job.struck else job.head_bytes
    headed = len(HEAD_END) <= head_bytes <= len(wire)
    body = wire[head_bytes:] if headed else b""
    if job.struck and not job.effect and job.ended in _CUT:
        # Many a client leaves as soon as it sees what is bad.
        job.effect = had_effect(job, wire)
    bytes_sent, body_sent = len(wire), len(body)
    if job.totals is not None:  # Of a long answer; then its head was sent whole.
        headed, bytes_sent, body_sent = True, job.totals.bytes_sent, job.totals.body_sent
        digest = job.totals.digest.hexdigest()
    else:
        digest = hashlib.sha256(body).hexdigest() if headed else None
    fault = job.fault
    return Exchange(  # In the order of its fields: naming them takes a microsecond more.
        job.number,
        job.key,
        job.attempt,
        None if job.attempt_id is None else _text(job.attempt_id),
        job.method,
        job.path[:KEY_LENGTH_MAX],
        job.tag,
        None if fault is None else _written(fault),
        None if fault is None else fault.name,
        job.status if headed else None,
        body_sent,
        job.body_length,
        digest,
        job.received_at_s,
        now_s,
        job.ended,
        job.effect,
        job.provider,
        job.streamed,
        bytes_sent,
        job.last_byte_at_s,
        job.client_left_at_s,
        job.error,
        1 if job.place is None else job.place.occurrence,
    )


@functools.lru_cache(maxsize=256)
def _written(fault: Fault) -> str:
    return repr(fault)


def _text(value: bytes) -> str:
    return value.decode("latin-1")[:KEY_LENGTH_MAX]
