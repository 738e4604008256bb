"""From request to ledger: decides what is said and how, and books what became of it.

No I/O happens here: a connection takes a ``Job``, plays its acts on the wire, writes its progress
into the job and hands it back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import trio

from chaoscheck.history.trace import Trace
from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.plan.delivery import Latency, Wire
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.admin import ADMIN_PREFIX, Admin
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.pace import base_latency_of, draws_of
from chaoscheck.server.apis.routes import Route, path_of, provider_of, route
from chaoscheck.server.apis.speaker import SpeechFailed
from chaoscheck.server.apis.speakers import speaker_of
from chaoscheck.server.apis.store import Store
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.server.booking import exchange_of
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.cross_origin import CrossOrigin
from chaoscheck.server.decision import Arrival, Decisions
from chaoscheck.server.identity import AttemptCounts, Place, caller_of, key_of
from chaoscheck.server.intake import Intake
from chaoscheck.server.internal_errors import INTERNAL_ERROR, report
from chaoscheck.server.job import Job
from chaoscheck.server.providers import Provider
from chaoscheck.server.rendering import ends_with_connection
from chaoscheck.server.replay.recorded_calls import with_recorded_calls
from chaoscheck.server.replay.source import AnswerSource, Fetched
from chaoscheck.server.script import (
    editable,
    job_aside,
    needs_body,
    write_faulted,
    write_script,
)
from chaoscheck.server.targets import require_reachable, target_of
from chaoscheck.server.worker import LARGE_BYTES, Worker
from chaoscheck.wire.request_codec import Bodies, Limits, Refusal, Request
from chaoscheck.world import ambient

__all__ = ["Service"]

_TAG_LENGTH_MAX = 256  # characters; the ledger must stay small under any request


class Service:
    """The server's state: plan at work, attempts, ledger, requests under way, stalls."""

    def __init__(self, decisions: Decisions, ledger: Ledger, trace: Trace | None) -> None:
        self.decisions = decisions
        self.ledger = ledger
        self.bodies = Bodies(Limits().bodies_bytes)
        self.in_flight = 0
        self.heals = 0
        self.stalls: set[trio.CancelScope] = set()
        self.only: frozenset[str] | None = None  # providers that are served; None is all
        self.admin: Admin | None = None
        self.intake = Intake(CrossOrigin())
        self.cors: CrossOrigin | None = None  # None allows no page
        self.source: AnswerSource | None = None  # of good answers; None is our own APIs
        self._trace = trace
        self._attempts = AttemptCounts()
        self._numbers = 0
        self._connections = 0
        self._speaker = speaker_of(decisions.plan)
        self._base_latency = base_latency_of(decisions.plan)
        self._store = Store()
        self._worker: Worker | None = None
        self._started_at_s: float | None = None
        self.started_epoch_s = 0.0

    def start(self, now_s: float) -> None:
        """The server's clock begins, unless it runs already."""
        if self._started_at_s is None:
            self._started_at_s = now_s
            self.started_epoch_s = ambient.wall_time()

    def use_worker(self) -> None:
        """Answer what takes long on a worker thread from now on; only in real time."""
        self._worker = Worker()

    def adopt(self, plan: FaultPlan) -> None:
        """Go by another plan from now on; PlanError, and no change, for replies that fail.

        The same for aims that no request can fit.
        """
        require_reachable(plan, self.only, any_path=self.source is not None)
        self._speaker = speaker_of(plan)
        self._base_latency = base_latency_of(plan)
        self.decisions.adopt(plan)

    def heal(self) -> None:
        """Nothing goes wrong from now on; what stalls goes on."""
        self.decisions.heal()
        self.heals += 1
        for stall in tuple(self.stalls):
            stall.cancel()

    def reset(self) -> None:
        """Forget what happened; the plan, the clock and what is under way stay."""
        self.ledger.clear()
        self.decisions.one_shots.clear()
        self.decisions.by_chance.clear()
        self._attempts = AttemptCounts()
        self._store.clear()
        if self.source is not None:
            self.source.reset()

    def accept(self, now_s: float) -> Job | None:
        """The job of a connection that meets a fault before it has asked for anything."""
        self._connections += 1
        try:
            fault = self.decisions.decide_connection(self._connections, self.elapsed_s(now_s))
        except Exception as error:  # No request failed, so there is nothing to book it with.
            report(error)
            return None
        if fault is None:
            return None
        job = self._job(now_s, "", "", None)
        job.fault, job.struck = fault, True
        job.acts = fault.on_delivery(Wire(head=b"", frames=()))
        self._note("fault", job.number, repr(fault))
        return job

    def turn_away(self, answer: Answer, request: Request, now_s: float) -> Job:
        """The job of a request that goes no further: ``answer`` is an error or a preflight's."""
        admin = self.admin
        if admin is not None and path_of(request.target).startswith(ADMIN_PREFIX):
            return job_aside(admin.refused(answer), request, now_s)
        if answer.error is None and self.cors is not None:
            return job_aside(answer, request, now_s, self.cors.lines(request.headers))
        job = self.admit(request, now_s)
        self.answer(job, request, Fetched(answer))
        return job

    def begin(self, request: Request, now_s: float) -> Job:
        """The job of a whole request: its answer, its fate, its script.

        With a worker thread ``finish`` has to be awaited where the job has ``work`` left.
        """
        path = path_of(request.target)
        if self.admin is not None and path.startswith(ADMIN_PREFIX):
            return job_aside(self.admin.answer(request), request, now_s)
        job = self._job(now_s, request.method, path, request.headers.get(b"x-attempt-id"))
        self.answer(job, request, None)
        return job

    def admit(self, request: Request, now_s: float) -> Job:
        """The job of a whole request that is to be answered later; from now on in flight."""
        path = path_of(request.target)
        job = self._job(now_s, request.method, path, request.headers.get(b"x-attempt-id"))
        job.key = key_of(request, path)
        return job

    def answer(self, job: Job, request: Request, fetched: Fetched | None) -> None:
        """Decide a job's answer, its fate and its script; a source may have ``fetched`` it."""
        try:
            self._answer(job, request, fetched)
        except Exception as error:  # Nothing that a client sends may end the server.
            self.fail(job, request, error)
        if self._trace is not None and job.work is None:
            self._note_begun(job)

    async def finish(self, job: Job, request: Request) -> None:
        """Do on the worker thread what is left to do before the job can be played."""
        try:
            while (work := job.work) is not None:
                job.work = None
                await work()
        except trio.Cancelled:
            self.end(job, trio.current_time())
            raise
        except Exception as error:
            job.work = None
            self.fail(job, request, error)
        self._note_begun(job)

    def _note_begun(self, job: Job) -> None:
        self._note("request", job.number, job.method, job.path, job.key, job.attempt)
        if job.fault is not None:
            self._note("fault", job.number, repr(job.fault))

    def fail(self, job: Job, request: Request | None, error: Exception) -> None:
        """Answer a job that the server failed on with its provider's 500, and book the error."""
        job.error = report(error)
        job.fault, job.struck, job.truth = None, False, None
        job.keep_alive = request is not None and request.keep_alive
        headers = {} if request is None else request.headers
        provider = provider_of(job.path, headers, self.only)
        write_script(job, INTERNAL_ERROR, provider, request, None)
        if job.place is not None:
            self._attempts.fail(job.place)

    def _answer(self, job: Job, request: Request, fetched: Fetched | None) -> None:
        path = job.path
        if self.cors is not None:
            job.cors = self.cors.lines(request.headers)
        way = route(request.method, request.target, path, request.headers, only=self.only)
        if (
            self._worker is not None
            and fetched is None
            and (len(request.body) >= LARGE_BYTES or way.costly or self._speaker.costly)
        ):
            job.work = functools.partial(self._answer_aside, self._worker, job, request, way)
            return
        job.key = key_of(request, path)
        place = job.place = self._attempts.place(job.key, request.headers)
        job.attempt = place.attempt
        if fetched is not None:
            answer = fetched.answer
            if self.decisions.concern_calls:
                answer = with_recorded_calls(answer, request.body)
        else:
            answer = way.error or self._good_answer(job, request, way)
        if self.decisions.needs_target:
            needs_model = self.decisions.needs_model
            job.target = target_of(way, path, request, with_model=needs_model)
        self._decide(job, answer, way.provider, request, place)
        if self._base_latency is not None and fetched is None and job.work is None:
            self._add_latency(job, place)
        if fetched is not None and fetched.on_given is not None and not job.struck:
            fetched.on_given()

    async def _answer_aside(self, worker: Worker, job: Job, request: Request, way: Route) -> None:
        # A request has its turn until its fate is decided: so equal ones have their places in the
        # order of arrival, as if each was answered at once.
        async with worker.turn:
            job.key = await worker.run(key_of, request, job.path)
            place = job.place = self._attempts.place(job.key, request.headers)
            job.attempt = place.attempt
            answer = way.error
            if answer is None:
                answer = await worker.run(self._good_answer, job, request, way)
            if self.decisions.needs_target:
                needs_model = self.decisions.needs_model
                find = functools.partial(target_of, with_model=needs_model)
                job.target = await worker.run(find, way, job.path, request)
            self._decide(job, answer, way.provider, request, place)
        if job.work is None:
            self._add_latency(job, place)

    def _add_latency(self, job: Job, place: Place) -> None:
        if self._base_latency is not None:
            drawn = draws_of(self._base_latency, (job.key, place.occurrence, place.attempt))
            job.acts = (Latency(next(drawn)), *job.acts)

    def _decide(
        self, job: Job, answer: Answer, provider: Provider, request: Request, place: Place
    ) -> None:
        """Decide a request's fate, and write the script of what comes of it."""
        job.keep_alive = request.keep_alive and not ends_with_connection(answer, request)
        if self.decisions.idle:
            write_script(job, answer, provider, request, None)
        else:
            self._meet(job, answer, provider, request, place)
        goes_on = self.decisions.goes_on(job.key, place.attempt, job.target)
        if job.struck or job.status >= 400 or goes_on:
            self._attempts.fail(place)

    def _meet(
        self, job: Job, answer: Answer, provider: Provider, request: Request, place: Place
    ) -> None:
        arrival = self._arrival(job, place, request)
        fault = None
        if answer.status < 400:  # A client's own mistake is answered truthfully, always.
            seen = answer if answer.parts is None else editable(answer)
            fault = job.fault = self.decisions.decide(arrival, seen)
            job.struck = fault is not None and fault.applies_to(seen)
        standings = self.decisions.standings(arrival)
        if fault is None or not job.struck:
            write_script(job, answer, provider, request, standings)
            return
        script = functools.partial(write_faulted, job, answer, provider, request, standings, fault)
        if answer.parts is not None and self._worker is not None and needs_body(fault, answer):
            job.work = functools.partial(self._script_aside, self._worker, script, job, place)
        else:
            script()

    async def _script_aside(
        self, worker: Worker, script: Callable[[], None], job: Job, place: Place
    ) -> None:
        await worker.run(script)
        self._add_latency(job, place)

    def refuse(self, refusal: Refusal, now_s: float) -> Job:
        """The job of a request that was not understood: an error, then the end."""
        job = self._unread(refusal, now_s)
        error = ApiError(message=refusal.reason, type="invalid_request_error")
        answer = Answer(status=refusal.status, error=error)
        provider = provider_of(job.path, refusal.headers, self.only)
        if self.cors is not None:
            job.cors = self.cors.lines(refusal.headers)
        write_script(job, answer, provider, None, None)
        return job

    def abandon(self, refusal: Refusal, now_s: float) -> None:
        """Book a request whose client left before it was whole."""
        job = self._unread(refusal, now_s)
        job.ended = "client_left"
        self.end(job, now_s)

    def end(self, job: Job, now_s: float) -> None:
        """Book what became of a job."""
        if not job.booked:
            return
        self.in_flight -= 1
        exchange = exchange_of(job, now_s)
        if job.place is not None and (job.struck or job.ended != "complete"):
            self._correct(job, job.place)
        self.ledger.add(exchange)
        if self._trace is not None:
            self._note("answered", job.number, job.ended, job.status, exchange.body_sent)

    def _correct(self, job: Job, place: Place) -> None:
        """Say how a request ended if it was assumed to end otherwise."""
        if job.ended != "complete":
            self._attempts.fail(place)
        elif (
            not job.effect
            and job.status < 400
            and not self.decisions.goes_on(job.key, place.attempt, job.target)
        ):
            self._attempts.succeed(place)  # Such as a stall that was healed before it began.

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
        job = self._job(
            now_s, refusal.method, path_of(refusal.target), refusal.headers.get(b"x-attempt-id")
        )
        self._note("refused", job.number, job.method, job.path, refusal.reason)
        return job

    def _good_answer(self, job: Job, request: Request, way: Route) -> Answer:
        if self.decisions.counts_tokens:
            job.tokens = TokenCounter(self.decisions.context_windows)
        target = request.target
        call = Call(  # In the order of its fields: naming them takes a microsecond more.
            request.body,
            request.headers,
            job.number,
            int(ambient.wall_time()),
            job.key,
            job.attempt,
            self._speaker,
            way.model,
            target.partition("?")[2] if "?" in target else "",
            self._store,
            1 if job.place is None else job.place.occurrence,
            job.tokens,
        )
        try:
            answer, said = way.api(call)
        except SpeechFailed as failed:
            job.error = f"SpeechFailed in {self.decisions.plan.replies.mode} replies"
            error = ApiError(message=str(failed), type="server_error")
            return Answer(status=500, error=error)
        job.tag = None if said is None else said[:_TAG_LENGTH_MAX]
        return answer

    def _arrival(self, job: Job, place: Place, request: Request) -> Arrival:
        return Arrival(
            key=job.key,
            attempt=place.attempt,
            at_s=self.elapsed_s(job.received_at_s),
            in_flight=self.in_flight - 1,
            caller=caller_of(request) if self.decisions.needs_caller else "",
            occurrence=place.occurrence,
            tokens=job.tokens,
            target=job.target,
        )

    def elapsed_s(self, now_s: float) -> float:
        """Seconds since the server's clock began."""
        return 0.0 if self._started_at_s is None else now_s - self._started_at_s

    def _note(self, kind: str, *details: str | int | None) -> None:
        if self._trace is not None:
            self._trace.add(kind, *details)
