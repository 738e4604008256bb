"""The script of a job: its answer as bytes, and as the acts that a connection plays."""

from __future__ import annotations

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Send, SendParts, Wait, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.status_fault import StatusFault
from chaoscheck.server.job import HeadContext, Job, unbooked_job
from chaoscheck.server.limit_state import Standings
from chaoscheck.server.providers import Provider
from chaoscheck.server.rate_headers import rate_headers
from chaoscheck.server.rendering import (
    cut_short,
    date_line,
    ends_with_connection,
    is_plain,
    plain_head,
    rendered,
)
from chaoscheck.wire.request_codec import Request
from chaoscheck.world import ambient

__all__ = ["editable", "had_effect", "job_aside", "needs_body", "write_faulted", "write_script"]

# A body in parts that is larger meets no fault that edits or cuts it: to read its JSON at once
# would stop the server for longer than 50 ms.
EDITED_BYTES_MAX = 8 * 2**20


def editable(answer: Answer) -> Answer:
    """An answer in parts as the faults are asked about it: with a body, unless that is too large.

    Whether a fault applies depends on whether there is a body, and on the answer's shape.
    """
    if answer.parts is None or answer.parts.size > EDITED_BYTES_MAX:
        return answer
    return answer._replace(body=b"{}")


def needs_body(fault: Fault, answer: Answer) -> bool:
    """Whether the fault edits or cuts the body of an answer in parts, so that it has to be made."""
    return answer.parts is not None and not fault.applies_to(answer)


def write_faulted(
    job: Job,
    answer: Answer,
    provider: Provider,
    request: Request,
    standings: Standings | None,
    fault: Fault,
) -> None:
    """Write into ``job`` how ``answer`` goes out with a fault that applies to it."""
    if answer.parts is not None and needs_body(fault, answer):
        answer = answer._replace(body=answer.parts.joined(), parts=None)
    good = answer
    if type(fault).on_answer is not StatusFault.on_answer:  # which tells no time
        answer = answer._replace(at_s=ambient.wall_time())
    answer = fault.on_answer(answer)
    job.keep_alive = request.keep_alive and not ends_with_connection(answer, request)
    write_script(job, answer, provider, request, standings, good)


def write_script(
    job: Job,
    answer: Answer,
    provider: Provider,
    request: Request | None,
    standings: Standings | None,
    good: Answer | None = None,
) -> None:
    """Write into ``job`` how ``answer`` goes out, with the fault that the job meets.

    ``good`` is the answer without that fault. No request stands for one that was not understood.
    """
    request_id = f"req_{job.number:06d}"
    job.provider = provider.name
    at_s = ambient.wall_time()
    fault = job.fault if job.struck else None
    if fault is not None and good is not None:
        context = HeadContext(request_id, standings, at_s, job.cors)
        job.truth = (good, provider, request, context)
    in_provider_format = answer.error is not None
    if in_provider_format:
        answer = provider.worded(answer, request_id)
    job.status, job.streamed = answer.status, answer.streamed
    # Most answers, errors among them, go out whole and at once: for these there is a short way.
    as_said = fault is None or type(fault).on_delivery is Fault.on_delivery
    quick = as_said and standings is None and not job.cors
    if quick and request is not None and is_plain(answer, provider, request):
        head = plain_head(answer, provider, request_id, at_s, worded=in_provider_format)
        job.head_bytes, job.body_length = len(head), len(answer.body)
        job.acts = (Send(head + answer.body),)
        return
    context = HeadContext(request_id, standings, at_s, job.cors)
    wire = _wire_of(answer, provider, request, context, in_provider_format=in_provider_format)
    job.head_bytes = len(wire.head)
    job.body_length = sum([len(frame.data) for frame in wire.frames])
    job.acts = wire.acts() if fault is None else fault.on_delivery(wire)
    if answer.cut and fault is None:
        job.acts = cut_short(wire)


def job_aside(answer: Answer, request: Request, now_s: float, cors: bytes = b"") -> Job:
    """The job of an answer to the admin or to a preflight, which no fault meets and no book has.

    ``cors`` are its header lines for a browser.
    """
    fresh = date_line(ambient.wall_time()) + cors
    job = unbooked_job(request, now_s, rendered(answer, (), fresh, request).acts())
    job.keep_alive = request.keep_alive and not ends_with_connection(answer, request)
    return job


def _wire_of(
    answer: Answer,
    provider: Provider,
    request: Request | None,
    context: HeadContext,
    *,
    in_provider_format: bool = False,
) -> Wire:
    """An answer as it goes onto the wire; one in the provider's format bears its headers."""
    common = () if in_provider_format else provider.common_headers(context.request_id)
    rates = rate_headers(provider.name, context.standings, context.at_s, status=answer.status)
    fresh = date_line(context.at_s) + provider.request_id_line(context.request_id) + context.cors
    return rendered(answer, common + rates, fresh, request)


def had_effect(job: Job, sent: bytes) -> bool:
    """Whether the fault of a job could be seen when its script was cut, after ``sent`` bytes.

    It could if those are not how the answer without the fault begins, or if that answer would
    have come further by then. What waits as the good answer does has no effect yet.
    """
    if job.truth is None:
        return job.script_s > 0
    wire = _wire_of(*job.truth)
    if not (wire.head + wire.body).startswith(sent):
        return True
    at_s, due_bytes = 0.0, 0
    for act in wire.acts():
        if isinstance(act, Wait):
            at_s += act.seconds
        elif at_s < job.script_s:
            if isinstance(act, SendParts):
                return True  # Parts are many and large: some were not sent when it was cut.
            if isinstance(act, Send):
                due_bytes += len(act.data)
    return due_bytes > len(sent)
