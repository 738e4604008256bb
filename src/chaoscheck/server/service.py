"""From request to ledger: decides what is said and how, and books what became of it.

No I/O happens here: a connection takes a ``Job``, plays its acts on the wire, writes its progress
into the job and hands it back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import trio

from chaoscheck.history.exchange import Ending, Exchange
from chaoscheck.history.trace import Trace
from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.plan.delivery import Act, Send
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import KEY_LENGTH_MAX
from chaoscheck.server.decision import Arrival, Decisions
from chaoscheck.server.identity import AttemptCounts, key_of
from chaoscheck.server.ledger import Ledger
from chaoscheck.server.providers import Provider
from chaoscheck.server.routes import Route, path_of, provider_of, route
from chaoscheck.wire.request_codec import Refusal, Request
from chaoscheck.wire.response_head import response_head

__all__ = ["Job", "Service"]

_TAG_LENGTH_MAX = 256  # characters; the ledger must stay small under any request


@dataclass(slots=True, kw_only=True)
class Job:
    """One request on its way: what to do, then how far it came.

    ``acts`` is the script to play; ``head_bytes`` of what it sends are head. The connection
    appends to ``sent`` what the network took, and sets ``ended`` and ``effect``.
    """

    number: int
    received_at_s: float
    method: str
    path: str
    attempt_id: bytes | None
    key: str = ""
    attempt: int = 0
    tag: str | None = None
    fault: Fault | None = None
    status: int = 0
    acts: tuple[Act, ...] = ()
    head_bytes: int = 0
    body_length: int = 0
    keep_alive: bool = False
    heals: int = 0
    sent: list[bytes] = field(default_factory=list)
    ended: Ending = "server_stopped"
    effect: bool = False


class Service:
    """The server's state: plan at work, attempts, ledger, requests under way, stalls."""

    def __init__(self, decisions: Decisions, ledger: Ledger, trace: Trace | None) -> None:
        self.decisions = decisions
        self.ledger = ledger
        self.in_flight = 0
        self.heals = 0
        self.stalls: set[trio.CancelScope] = set()
        self._trace = trace
        self._attempts = AttemptCounts()
        self._numbers = 0
        self._started_at_s: float | None = None

    def start(self, now_s: float) -> None:
        """The server's clock begins, unless it runs already."""
        if self._started_at_s is None:
            self._started_at_s = now_s

    def heal(self) -> None:
        """Nothing goes wrong from now on; what stalls goes on."""
        self.decisions.heal()
        self.heals += 1
        for stall in tuple(self.stalls):
            stall.cancel()

    def begin(self, request: Request, now_s: float) -> Job:
        """The job of a whole request: its answer, its fate, its script."""
        path = path_of(request.target)
        job = self._job(now_s, request.method, path, request.headers.get(b"x-attempt-id"))
        job.key = key_of(request, path)
        job.attempt = self._attempts.attempt_of(job.key, request)
        way = route(request.method, request.target, path)
        answer = way.error or self._good_answer(job, request.body, way, now_s)
        if answer.status < 400:  # A client's own mistake is answered truthfully, always.
            job.fault = self._fate(job, now_s)
            if job.fault is not None:
                answer = job.fault.on_answer(answer)
        job.keep_alive = request.keep_alive
        self._script(job, answer, way.provider, _connection_header(request))
        self._note("request", job.number, job.method, job.path, job.key, job.attempt)
        if job.fault is not None:
            self._note("fault", job.number, repr(job.fault))
        return job

    def refuse(self, refusal: Refusal, now_s: float) -> Job:
        """The job of a request that was not understood: an error, then the end."""
        job = self._unread(refusal, now_s)
        error = ApiError(message=refusal.reason, type="invalid_request_error")
        answer = Answer(status=refusal.status, error=error)
        self._script(job, answer, provider_of(job.path), "close")
        return job

    def abandon(self, refusal: Refusal, now_s: float) -> None:
        """Book a request whose client left before it was whole."""
        job = self._unread(refusal, now_s)
        job.ended = "client_left"
        self.end(job, now_s)

    def end(self, job: Job, now_s: float) -> None:
        """Book what became of a job."""
        self.in_flight -= 1
        wire = job.sent[0] if len(job.sent) == 1 else b"".join(job.sent)
        headed = job.head_bytes > 0 and len(wire) >= job.head_bytes
        body = wire[job.head_bytes :]
        fault = job.fault
        self.ledger.add(
            Exchange(
                number=job.number,
                key=job.key,
                attempt=job.attempt,
                attempt_id=_text(job.attempt_id),
                method=job.method,
                path=job.path[:KEY_LENGTH_MAX],
                tag=job.tag,
                fault=None if fault is None else repr(fault),
                fault_name=None if fault is None else fault.name,
                status=job.status if headed else None,
                body_sent=len(body),
                body_length=job.body_length,
                body_digest=hashlib.sha256(body).hexdigest() if headed else None,
                received_at_s=job.received_at_s,
                ended_at_s=now_s,
                ended=job.ended,
                effect=job.effect,
            )
        )
        self._note("answered", job.number, job.ended, job.status, len(body))

    def _job(self, now_s: float, method: str, path: str, attempt_id: bytes | None) -> Job:
        self._numbers += 1
        self.in_flight += 1
        return Job(
            number=self._numbers,
            received_at_s=now_s,
            method=method,
            path=path,
            attempt_id=attempt_id,
            heals=self.heals,
        )

    def _unread(self, refusal: Refusal, now_s: float) -> Job:
        job = self._job(now_s, refusal.method, path_of(refusal.target), refusal.attempt_id)
        self._note("refused", job.number, job.method, job.path, refusal.reason)
        return job

    def _good_answer(self, job: Job, body: bytes, way: Route, now_s: float) -> Answer:
        answer, echoed = way.api(
            body, number=job.number, created_s=int(self._elapsed_s(now_s)), model=way.model
        )
        job.tag = None if echoed is None else echoed[:_TAG_LENGTH_MAX]
        return answer

    def _fate(self, job: Job, now_s: float) -> Fault | None:
        return self.decisions.decide(
            Arrival(
                key=job.key,
                attempt=job.attempt,
                at_s=self._elapsed_s(now_s),
                in_flight=self.in_flight - 1,
            )
        )

    def _script(self, job: Job, answer: Answer, provider: Provider, connection: str) -> None:
        request_id = f"req_{job.number:06d}"
        answer = provider.worded(answer, request_id)
        headers = (*answer.headers, (provider.request_id_header, request_id))
        head = response_head(answer.status, headers, len(answer.body), connection=connection)
        body = b"" if job.method == "HEAD" else answer.body
        job.status = answer.status
        job.head_bytes = len(head)
        job.body_length = len(body)
        job.acts = job.fault.on_delivery(head, body) if job.fault else (Send(head + body),)

    def _elapsed_s(self, now_s: float) -> float:
        return 0.0 if self._started_at_s is None else now_s - self._started_at_s

    def _note(self, kind: str, *details: str | int | None) -> None:
        if self._trace is not None:
            self._trace.add(kind, *details)


def _connection_header(request: Request) -> str:
    if not request.keep_alive:
        return "close"
    return "keep-alive" if request.version == "1.0" else ""


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")[:KEY_LENGTH_MAX]
