"""One connection: reads requests in order and plays each one's script on the wire.

One task serves a connection; no task, nursery or timer exists per request. Only while an answer
waits or stalls does the connection read ahead, to notice that the client leaves; requests that
it reads then are kept. A client that shuts down its sending side counts as gone there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import assert_never

import trio

from chaoscheck.plan.delivery import (
    Act,
    Close,
    HalfClose,
    Latency,
    Reset,
    Send,
    SendParts,
    Stall,
    Wait,
)
from chaoscheck.server.admin import ADMIN_PREFIX
from chaoscheck.server.apis.routes import path_of
from chaoscheck.server.intake import decoded_request
from chaoscheck.server.internal_errors import report
from chaoscheck.server.job import Job
from chaoscheck.server.replay.source import AnswerSource
from chaoscheck.server.service import Service
from chaoscheck.wire.connection_end import finish, finish_after_reading, reset
from chaoscheck.wire.request_codec import CONTINUE, Limits, Refusal, Request, RequestCodec
from chaoscheck.wire.sending_at_once import is_kernels, send_at_once

__all__ = ["Connection"]

_TURNS_MAX = 16  # sends that may follow each other without letting other connections run
_SLICE_BYTES = 256 * 1024  # of a long send: to digest as many takes some 0.5 ms
_UNCOUNTED_SENDS_MAX = 64  # of an answer; then what they sent is digested and forgotten
_READ_AHEAD_MAX = 1024 * 1024  # bytes; a client that pipelines more is not read until we go on


class Connection:
    """A client's connection, from its first byte to its end; ``spared`` ones are never refused."""

    def __init__(
        self,
        stream: trio.SocketStream,
        service: Service,
        limits: Limits,
        *,
        spared: bool = False,
    ) -> None:
        self._stream = stream
        self._service = service
        self._codec = RequestCodec(limits, service.bodies)
        self._limits = limits
        self._at_once = is_kernels(stream)
        self._turns_taken = 0  # sends since the last one that let others run
        self._read_ahead = 0  # bytes, since the last request that we had to wait for
        self._spared = spared

    async def serve(self) -> None:
        """Answer requests until either side ends the connection. Only a cancellation gets out."""
        try:
            await self._answer_all()
        except Exception as error:  # It ends this connection, and no other.
            report(error)
            await trio.aclose_forcefully(self._stream)
        finally:
            self._codec.close()

    async def _answer_all(self) -> None:
        struck = None if self._spared else self._service.accept(trio.current_time())
        if struck is not None:
            await self._carry_out(struck)
            if struck.ended != "complete":
                return
        while True:
            job = await self._next_job()
            if job is None:
                return
            await self._carry_out(job)
            self._codec.release()
            if job.ended != "complete":
                return
            if not job.keep_alive:
                # Only a request that was not understood leaves bytes unread, and it has no key.
                await (finish(self._stream) if job.key else finish_after_reading(self._stream))
                return

    async def _carry_out(self, job: Job) -> None:
        acts = job.acts
        try:
            act = acts[0] if len(acts) == 1 else None
            if isinstance(act, Send) and len(act.data) <= _SLICE_BYTES:  # As most answers are.
                if await self._send(job, act.data):
                    job.ended, job.effect = "complete", job.struck
            else:
                await self._play(job)
        except Exception as error:
            await self._give_up(job, error)
        finally:
            # The commonest end is that of the last byte.
            ended_at_s = job.last_byte_at_s if len(acts) == 1 and job.ended == "complete" else None
            self._service.end(job, trio.current_time() if ended_at_s is None else ended_at_s)

    async def _give_up(self, job: Job, error: Exception) -> None:
        """End a script that cannot be played on: with a 500 if nothing was said yet, else a cut."""
        if job.sent or job.totals is not None:
            job.error, job.ended = report(error), "closed"
            await finish(self._stream)
            return
        self._service.fail(job, None, error)
        for act in job.acts:  # A plain error: nothing but sends.
            if isinstance(act, Send) and await self._send(job, act.data):
                job.ended = "complete"

    async def _next_job(self) -> Job | None:
        codec = self._codec
        while (ready := codec.next_request()) is None:
            self._read_ahead = 0
            if codec.wants_continue:
                await self._go_on()
            self._turns_taken = 0  # Reading lets others run.
            try:
                data = await self._stream.receive_some()
            except trio.BrokenResourceError:
                data = b""
            if not data:
                if codec.mid_request:
                    left = codec.refuse(400, "the client left before its request was whole")
                    self._service.abandon(left, trio.current_time())
                return None
            codec.feed(data)
        now_s = trio.current_time()
        if isinstance(ready, Refusal):
            return self._service.refuse(ready, now_s)
        refusal = self._service.intake.answer(ready)
        if refusal is None and b"content-encoding" in ready.headers:
            ready, refusal = await decoded_request(ready, codec, self._limits)
        if refusal is not None:
            return self._service.turn_away(refusal, ready, now_s)
        source = self._service.source
        if source is None or path_of(ready.target).startswith(ADMIN_PREFIX):
            job = self._service.begin(ready, now_s)
            if job.work is not None:
                await self._service.finish(job, ready)
            return job
        return await self._fetched_job(source, ready, now_s)

    async def _fetched_job(self, source: AnswerSource, request: Request, now_s: float) -> Job:
        """The job of a request whose good answer is asked for; it is in flight meanwhile."""
        service = self._service
        job = service.admit(request, now_s)
        try:
            fetched = await source.fetch(request)
        except Exception as error:  # It ends this request, and no other.
            service.fail(job, request, error)
        except BaseException:
            service.end(job, trio.current_time())
            raise
        else:
            service.answer(job, request, fetched)
        return job

    async def _go_on(self) -> None:
        self._codec.wants_continue = False
        with contextlib.suppress(trio.BrokenResourceError):  # Reading will tell.
            await self._stream.send_all(CONTINUE)

    async def _play(self, job: Job) -> None:
        for act in job.acts:
            if isinstance(act, Send) and len(act.data) <= _SLICE_BYTES:  # As each event is.
                if not await self._send(job, act.data):
                    return
                if len(job.sent) - job.counted >= _UNCOUNTED_SENDS_MAX:
                    job.count_sent()
            elif not await self._act(job, act):
                return
        job.ended = "complete"
        if job.struck and not job.effect:
            # All was sent, so it is what was sent that differs; a stall that was healed before
            # it began is no effect.
            job.effect = not any(isinstance(act, Stall) for act in job.acts)

    async def _act(self, job: Job, act: Act) -> bool:
        """Carry out one act, and say whether the next one follows."""
        if isinstance(act, Send):
            return await self._send_slices(job, act.data)
        if isinstance(act, SendParts):
            return await self._send_parts(job, act.make)
        if isinstance(act, Wait | Latency):
            return await self._wait(job, act)
        if isinstance(act, Stall):
            return await self._stall(job)
        if isinstance(act, Reset):
            # Said before it is done: a server that stops meanwhile ends the connection as well.
            job.ended, job.effect = "reset", True
            await reset(self._stream)
        elif isinstance(act, Close):
            job.ended, job.effect = "closed", job.struck
            await finish(self._stream)
        elif isinstance(act, HalfClose):
            await self._half_close(job)
        else:
            assert_never(act)
        return False

    async def _send_slices(self, job: Job, data: bytes) -> bool:
        for at in range(0, len(data), _SLICE_BYTES):
            part = data[at : at + _SLICE_BYTES]
            if not await self._send(job, part):
                return False
            job.count_sent()
        return True

    async def _send_parts(self, job: Job, make: Callable[[], Iterator[bytes]]) -> bool:
        job.count_sent()  # the head, after which no fault changes anything
        for part in make():
            job.body_length += len(part)
            # To make a part may take milliseconds, so others have their turn before each.
            self._turns_taken = _TURNS_MAX
            try:
                if not await self._send(job, part):
                    return False
            finally:
                job.count_sent(as_said=True)
        return True

    async def _send(self, job: Job, data: bytes) -> bool:
        """Put data on the wire; False, and how it ended, if the client has left."""
        left = data
        try:
            if self._at_once and self._turns_taken < _TURNS_MAX:
                self._turns_taken += 1
                left = send_at_once(self._stream, data)
            if left:
                self._turns_taken = 0
                await self._stream.send_all(left)
                left = b""
        except trio.BrokenResourceError:
            job.ended = "client_left"
            job.client_left_at_s = trio.current_time()
            return False
        finally:
            # What the network took is booked, also of a send that is cut.
            job.sent.append(data[: len(data) - len(left)] if left else data)
        job.last_byte_at_s = trio.current_time()
        return True

    async def _wait(self, job: Job, act: Wait | Latency) -> bool:
        began_at_s = trio.current_time()
        try:
            with trio.move_on_after(act.seconds) as scope:
                await self._client_leaves()
        finally:
            if isinstance(act, Wait):  # Latency comes before any answer, the good one too.
                job.script_s += min(trio.current_time() - began_at_s, act.seconds)
        if scope.cancelled_caught:
            return True
        job.ended = "client_left"
        job.client_left_at_s = trio.current_time()
        return False

    async def _stall(self, job: Job) -> bool:
        if job.heals != self._service.heals:
            return True  # Everything was healed while the earlier bytes went out.
        stalls = self._service.stalls
        began_at_s = trio.current_time()
        try:
            with trio.CancelScope() as scope:
                stalls.add(scope)
                await self._client_leaves()
        finally:
            stalls.discard(scope)
            job.script_s += trio.current_time() - began_at_s
        if scope.cancelled_caught:
            job.effect = job.effect or trio.current_time() > began_at_s
            return True
        job.effect = True
        job.ended = "stalled_until_left"
        job.client_left_at_s = trio.current_time()
        return False

    async def _half_close(self, job: Job) -> None:
        job.ended, job.effect = "half_closed", True
        with contextlib.suppress(trio.BrokenResourceError):
            await self._stream.send_eof()
            while await self._stream.receive_some():
                pass  # It will not be answered, so nothing is kept.
        job.client_left_at_s = trio.current_time()
        await trio.aclose_forcefully(self._stream)

    async def _client_leaves(self) -> None:
        while self._read_ahead < _READ_AHEAD_MAX:
            try:
                data = await self._stream.receive_some()
            except trio.BrokenResourceError:
                return
            if not data:
                return
            self._read_ahead += len(data)
            self._codec.feed(data)
        await trio.sleep_forever()
