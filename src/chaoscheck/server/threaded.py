"""A chaos server on a thread of its own: for clients that are sync, asyncio or another process.

It listens on a free port of 127.0.0.1, in its own trio run and on the wall clock. Everything here
may be called from any thread, also from inside another event loop: it blocks for microseconds.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

import outcome
import trio

from chaoscheck.errors import InternalError, PlanError, WorldError
from chaoscheck.history.exchange import Exchange
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.books.stats import Stats, stats_of
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.client_environment import client_environment
from chaoscheck.server.settings import ServerSettings
from chaoscheck.server.standalone import Address, at_rest, bind, url_of
from chaoscheck.world.patches.here import here

# Theory of operation. The server's state belongs to its thread, and nothing in it is locked. A
# command therefore travels: the caller hands a function to the thread's trio run and waits for
# its outcome on a queue. ``trio.from_thread`` would do that, but refuses callers that are in a
# trio run themselves, such as a trio test; waiting for some microseconds hurts nobody there.
#
# A client may read the last byte of an answer before its exchange is booked: both happen in one
# batch of tasks. So everybody travels twice; by the second time that batch is over.
#
# Once the thread has ended nobody else touches the state, and it is read in place.

__all__ = ["ThreadedServer"]

START_MAX_S = 10.0  # it takes 5 ms; a machine that needs more than this is out of order
CLOSE_MAX_S = 10.0
COMMAND_MAX_S = 10.0

T = TypeVar("T")


class ThreadedServer:
    """A ChaosServer on ``plan`` (default: silence), with a thread, a port and a ``url``.

    Use it as ``with ThreadedServer(plan) as server:``, or call ``start`` and ``close``.
    ``settings`` are the ChaosServer's. Inside a virtual world there are no threads: PlanError.
    """

    def __init__(
        self,
        plan: FaultPlan | None = None,
        *,
        settings: ServerSettings | None = None,
    ) -> None:
        settings = replace(settings or ServerSettings(), worker_thread=True)
        self._server = ChaosServer(plan, settings=settings)
        self._providers = None if settings is None else settings.providers
        self._thread = threading.Thread(target=self._live, name="chaoscheck server", daemon=True)
        self._began: SimpleQueue[outcome.Outcome[str]] = SimpleQueue()
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._failure: BaseException | None = None
        self._last_stats: Stats | None = None
        self._url = ""
        self._closed = False

    # ------------------------------------------------------------------ life

    def start(self) -> Self:
        """Start the thread and return once the server takes connections. Starts once only.

        PlanError inside a virtual world, when it was started before, or when it cannot listen;
        WorldError when it does not come up within 10 s.
        """
        if self._closed or self._url:
            raise PlanError("a ThreadedServer starts once; make another one")
        if here.answers is not None:
            raise PlanError(
                "a ThreadedServer needs a real thread, which a virtual world does not have: serve "
                "inside the world with world.serve(plan)"
            )
        self._thread.start()
        try:
            self._url = self._began.get(timeout=START_MAX_S).unwrap()
        except Empty:
            self._closed = True
            raise WorldError(f"the chaos server did not start within {START_MAX_S:g} s") from None
        except Exception:
            self._closed = True
            raise
        return self

    def close(self) -> None:
        """Cut every connection and end the thread; a second call does nothing.

        InternalError, with its cause, when the server failed while it ran; WorldError when the
        thread does not end within 10 s.
        """
        if self._closed:
            return
        self._closed = True
        if not self._url:
            return
        self._post(self._cancel)
        self._thread.join(CLOSE_MAX_S)
        if self._thread.is_alive():
            raise WorldError(f"the chaos server did not end within {CLOSE_MAX_S:g} s")
        if self._failure is not None:
            raise InternalError("the chaos server failed in its thread") from self._failure

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except (InternalError, WorldError) as closing:
            if error is None:
                raise
            error.add_note(f"closing the chaos server failed as well: {closing}")

    def _live(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # raised to whoever starts or closes it
            self._failure = error
            self._began.put(outcome.Error(error))

    async def _serve(self) -> None:
        listener = await bind(Address())
        self._token = trio.lowlevel.current_trio_token()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(self._server.serve, [listener])
                self._began.put(outcome.Value(url_of(listener)))
        finally:
            self._last_stats = stats_of(self._server)

    def _cancel(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # ------------------------------------------------------------------ where it is

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``; PlanError before it was started."""
        if not self._url:
            raise PlanError("this ThreadedServer was not started yet")
        return self._url

    @property
    def openai_url(self) -> str:
        """The ``base_url`` of an OpenAI client."""
        return self.url + "/v1"

    @property
    def anthropic_url(self) -> str:
        """The ``base_url`` of an Anthropic client."""
        return self.url

    @property
    def azure_url(self) -> str:
        """The ``azure_endpoint`` of an Azure OpenAI client."""
        return self.url

    @property
    def openrouter_url(self) -> str:
        """The ``base_url`` of a client of OpenRouter."""
        return self.url + "/api/v1"

    def environment(self) -> dict[str, str]:
        """The environment variables by which clients find the server without being told.

        They hold base URLs and keys that open nothing, of the providers that are served, and what
        leads away from it in the environment of this process as it should be: hand a program
        ``env={**os.environ, **server.environment()}``. PlanError before it was started.
        """
        return client_environment(self.url, self._providers, os.environ)

    # ------------------------------------------------------------------ what goes wrong

    @property
    def plan(self) -> FaultPlan:
        """The plan as it stands, as ``ChaosServer.plan``."""
        return self._read(lambda: self._server.plan)

    @plan.setter
    def plan(self, plan: FaultPlan) -> None:
        """Go by another plan from now on."""
        self._command(partial(setattr, self._server, "plan", plan))

    def set_rate(self, fault: Fault | str, rate: float) -> None:
        """Let ``fault`` hit this share of the requests; 0 removes it. PlanError changes nothing."""
        self._command(partial(self._server.set_rate, fault, rate))

    def next_fault(self, fault: Fault | str) -> None:
        """Let the next request that would be answered well meet ``fault``; more form a queue."""
        self._command(partial(self._server.next_fault, fault))

    def script(self, key: str, faults: Iterable[Fault | str | None]) -> None:
        """Let the n-th attempt of request ``key`` meet the n-th fault; None is no fault."""
        self._command(partial(self._server.script, key, tuple(faults)))

    def heal(self) -> None:
        """Nothing goes wrong from now on, and stalled answers go on."""
        self._command(self._server.heal)

    def reset(self) -> None:
        """Forget what happened: ledger, counters, attempts and queued one-shots. The plan stays."""
        self._command(self._server.reset)

    # ------------------------------------------------------------------ what happened

    @property
    def ledger(self) -> list[Exchange]:
        """The finished exchanges, oldest first: a snapshot.

        An answer that was read to its end is in it. After a fault that ended the connection, or
        a client that left, call ``wait_at_rest`` first.
        """
        return self._read(lambda: list(self._server.ledger))

    def stats(self) -> Stats:
        """What the admin endpoint ``stats`` says: counters that equal the ledger."""
        # Its clock runs in its trio run alone: afterwards there is only what was said last.
        return self._read(lambda: self._last_stats or stats_of(self._server))

    @property
    def in_flight(self) -> int:
        """How many requests were read and are not fully answered."""
        return self._read(lambda: self._server.in_flight)

    @property
    def injected(self) -> Counter[str]:
        """Faults that were meant to happen, by name; finished exchanges only."""
        return self._read(lambda: Counter(self._server.injected))

    @property
    def hits(self) -> Counter[str]:
        """Faults that were seen to have an effect, by name."""
        return self._read(lambda: Counter(self._server.hits))

    def wait_at_rest(self, timeout_s: float = 5.0) -> None:
        """Return once no request is in flight; WorldError after ``timeout_s`` real seconds.

        A request that the server has not read yet is not in flight: wait for its end first.
        """
        if not self._alive():
            return
        rested: SimpleQueue[int] = SimpleQueue()
        self._command(partial(self._start_resting, timeout_s, rested))
        left = rested.get(timeout=timeout_s + COMMAND_MAX_S)
        if left:
            raise WorldError(f"{left} requests are still in flight after {timeout_s:g} s")

    def _start_resting(self, timeout_s: float, rested: SimpleQueue[int]) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._rest, timeout_s, rested)

    async def _rest(self, timeout_s: float, rested: SimpleQueue[int]) -> None:
        try:
            with trio.move_on_after(timeout_s):
                await at_rest(self._server)
        finally:
            rested.put(self._server.in_flight)

    # ------------------------------------------------------------------ the way to the thread

    def _read(self, ask: Callable[[], T]) -> T:
        return self._in_thread(ask) if self._alive() else ask()

    def _command(self, act: Callable[[], object]) -> None:
        if not self._alive():
            raise PlanError("this ThreadedServer is not running: start it, or use it as `with`")
        self._in_thread(act)

    def _alive(self) -> bool:
        return bool(self._url) and self._thread.is_alive()

    def _in_thread(self, act: Callable[[], T]) -> T:
        if threading.current_thread() is self._thread:
            return act()
        self._carried(lambda: None)
        return self._carried(act)

    def _carried(self, act: Callable[[], T]) -> T:
        answer: SimpleQueue[outcome.Outcome[T]] = SimpleQueue()
        if not self._post(lambda: answer.put(outcome.capture(act))):
            return act()  # It ended in between.
        try:
            return answer.get(timeout=COMMAND_MAX_S).unwrap()
        except Empty:
            raise WorldError(
                f"the chaos server did not answer within {COMMAND_MAX_S:g} s"
            ) from None

    def _post(self, act: Callable[[], object]) -> bool:
        """Let the thread run ``act`` soon; False if its run is over."""
        if self._token is None:
            return False
        try:
            self._token.run_sync_soon(act)
        except trio.RunFinishedError:
            return False
        return True
