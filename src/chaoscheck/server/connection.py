"""One connection: reads requests in order and plays each one's script on the wire.

One task serves a connection; no task, nursery or timer exists per request. Only while an answer
waits or stalls does the connection read ahead, to notice that the client leaves; requests that
it reads then are kept. A client that shuts down its sending side counts as gone there.
"""

from __future__ import annotations

from typing import assert_never

import trio

from chaoscheck.plan.delivery import Close, Reset, Send, Stall, Wait
from chaoscheck.server.service import Job, Service
from chaoscheck.wire.connection_end import finish, finish_after_reading, reset
from chaoscheck.wire.request_codec import CONTINUE, Limits, Refusal, RequestCodec

__all__ = ["Connection"]

_READ_AHEAD_MAX = 1024 * 1024  # bytes; a client that pipelines more is not read until we go on


class Connection:
    """A client's connection, from its first byte to its end."""

    def __init__(self, stream: trio.SocketStream, service: Service, limits: Limits) -> None:
        self._stream = stream
        self._service = service
        self._codec = RequestCodec(limits)

    async def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        while True:
            job = await self._next_job()
            if job is None:
                return
            try:
                await self._play(job)
            finally:
                self._service.end(job, trio.current_time())
            if job.ended != "complete":
                return
            if not job.keep_alive:
                # Only a request that was not understood leaves bytes unread, and it has no key.
                await (finish(self._stream) if job.key else finish_after_reading(self._stream))
                return

    async def _next_job(self) -> Job | None:
        codec = self._codec
        while (ready := codec.next_request()) is None:
            data = await self._receive()
            if not data:
                if codec.mid_request:
                    left = codec.refuse(400, "the client left before its request was whole")
                    self._service.abandon(left, trio.current_time())
                return None
            codec.feed(data)
        now_s = trio.current_time()
        if isinstance(ready, Refusal):
            return self._service.refuse(ready, now_s)
        return self._service.begin(ready, now_s)

    async def _receive(self) -> bytes:
        try:
            if self._codec.wants_continue:
                self._codec.wants_continue = False
                await self._stream.send_all(CONTINUE)
            return await self._stream.receive_some()
        except trio.BrokenResourceError:
            return b""

    async def _play(self, job: Job) -> None:
        for act in job.acts:
            if isinstance(act, Send):
                if not await self._send(job, act.data):
                    return
            elif isinstance(act, Wait):
                if not await self._wait(job, act.seconds):
                    return
            elif isinstance(act, Stall):
                if not await self._stall(job):
                    return
            elif isinstance(act, Reset):
                await reset(self._stream)
                job.ended, job.effect = "reset", True
                return
            elif isinstance(act, Close):
                await finish(self._stream)
                job.ended, job.effect = "closed", True
                return
            else:
                assert_never(act)
        job.ended, job.effect = "complete", job.fault is not None

    async def _send(self, job: Job, data: bytes) -> bool:
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            job.ended = "client_left"
            return False
        job.sent.append(data)
        return True

    async def _wait(self, job: Job, seconds: float) -> bool:
        began_at_s = trio.current_time()
        with trio.move_on_after(seconds) as scope:
            await self._client_leaves()
        job.effect = trio.current_time() > began_at_s
        if scope.cancelled_caught:
            return True
        job.ended = "client_left"
        return False

    async def _stall(self, job: Job) -> bool:
        if job.heals != self._service.heals:
            return True  # Everything was healed while the earlier bytes went out.
        stalls = self._service.stalls
        with trio.CancelScope() as scope:
            stalls.add(scope)
            try:
                await self._client_leaves()
            finally:
                stalls.discard(scope)
        job.effect = True
        if scope.cancelled_caught:
            return True
        job.ended = "stalled_until_left"
        return False

    async def _client_leaves(self) -> None:
        read = 0
        while read < _READ_AHEAD_MAX:
            try:
                data = await self._stream.receive_some()
            except trio.BrokenResourceError:
                return
            if not data:
                return
            read += len(data)
            self._codec.feed(data)
        await trio.sleep_forever()
