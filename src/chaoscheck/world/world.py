"""A world: a whole run in one thread, on a clock that moves only when told.

Sync code drives it: ``start`` puts an operation in flight, ``settle``, ``advance`` and ``run``
pump it. Inside, everything that speaks trio works unmodified: the clock, ambient time, chance
and worker threads are answered by the world. What carries its bytes differs: see ``virtual``
and ``loopback``.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, overload

from chaoscheck.errors import InternalError, PlanError, WorldError
from chaoscheck.history.trace import Trace
from chaoscheck.world import escapes, schedule
from chaoscheck.world.answers import Answers
from chaoscheck.world.choices import Choices, ScriptedChoices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.interrupts import Interrupts
from chaoscheck.world.network.network import Network
from chaoscheck.world.operation import Operation, name_of
from chaoscheck.world.outside import Outside
from chaoscheck.world.pump import Pump, first_cause
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.task_story import calling_place

if TYPE_CHECKING:
    from chaoscheck.plan.fault_plan import FaultPlan

__all__ = ["Served", "World"]

T = TypeVar("T")

ENDLESS_JUMPS_MAX = 500  # ~10 ms of CPU at the end of an example with operations in flight
FOLLOWED_JUMPS_MAX = 2_000  # ~40 ms of CPU: a step must not cost more
ADVANCE_MAX_S = 1e9  # ~31 years: beyond it, float seconds are coarser than 0.1 µs


class Served(Protocol):
    """What can be served in a world: anything that takes listeners, such as a ChaosServer."""

    async def serve(self, listeners: Any) -> None:
        """Serve these listeners until cancelled."""


S = TypeVar("S", bound=Served)


class World(ABC):
    """Base of all worlds. Use one as ``with VirtualWorld() as world:``.

    ``choices`` decides everything undetermined (default: nothing odd ever happens); ``trace``
    records what happened; ``network`` carries the bytes. Opening it inside a trio run, or
    twice, and closing it twice raise WorldError.
    """

    #: Whether tasks may use real sockets on the loopback interface.
    real_sockets = False

    def __init__(self, choices: Choices | None = None) -> None:
        self.choices = choices if choices is not None else ScriptedChoices()
        self.clock = VirtualClock()
        self.trace = Trace(self.clock.current_time)
        self.outside = Outside()  # what comes late, as the schedule says
        self.network = self._make_network()
        #: Decides who runs next; set it before the world opens. FIFO by default.
        self.scheduler: Scheduler = schedule.Fifo()
        #: Makes and serves a chaos server of a plan, at a host and a port; ``Chaos`` sets it.
        self.provide: Callable[[FaultPlan | None, str, int], Any] | None = None
        self._pump = self._make_pump()
        self._interrupts = Interrupts(self._pump)
        self._state = "new"
        self._undo: list[Callable[[], object]] = []
        self._names: dict[str, int] = {}
        self._operations: list[Operation[Any]] = []
        self._failed: list[Operation[Any]] = []
        self._to_cancel: list[Operation[Any]] = []
        self._step = ""
        #: What it answers to code that asks the real world: see ``escapes``.
        self.answers = Answers(self._pump, self.choices, self.network.resolver, self.outside)
        self.answers.real_sockets = self.real_sockets

    @abstractmethod
    def _make_network(self) -> Network:
        """What carries the bytes of this world."""

    def _make_pump(self) -> Pump:
        return Pump(self.clock)

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Start the world; WorldError when it was opened before or the thread has one."""
        if self._state != "new":
            raise WorldError(f"a world opens once; this one is {self._state}")
        undo = self._undo
        undo.append(self._interrupts.give_back)
        self._interrupts.take()
        try:
            self._pump.open()
        except BaseException:
            undo.pop()()
            raise
        self._state = "open"
        try:
            undo.append(self.network.close)
            self.network.install()
            undo.append(partial(random.setstate, random.getstate()))
            random.seed(0)
            self._take_the_schedule(undo)
            escapes.enter(self.answers)
            undo.append(escapes.leave)
            self.choices.absorb = self._absorb
            self.clock.asked = False  # it was asked while opening
        except BaseException:
            self.close()
            raise

    def _take_the_schedule(self, undo: list[Callable[[], object]]) -> None:
        schedule.install(self.scheduler, self._schedule_failed)
        undo.append(schedule.uninstall)
        self._pump.use(self.scheduler, self.outside)
        self._pump.after_tick = self._cancel_due_operations

    def _schedule_failed(self, error: BaseException) -> None:
        # Tasks that its scheduler still queued are runnable: FIFO waits for no generation's end.
        self._pump.go_fifo()
        self._fail(error)

    def close(self) -> None:
        """Cancel what still runs, let it clean up, and give every patch back.

        Raises WorldError when it is not open, or when a task never ended (it is killed); an
        Escape or a Livelock of sync code that swallowed it.
        """
        if self._state != "open":
            raise WorldError(f"only an open world can be closed; this one is {self._state}")
        self._refuse_inside_a_task("close()", "end the task instead")
        self._state = "closed"
        kept, self._pump.failure = self._pump.failure, None
        self.network.fall_silent()  # tasks that unwind send and draw nothing any more
        schedule.resign()  # nor are they scheduled by choice: who is left of a line runs as well
        self._pump.go_fifo()
        try:
            self._pump.close()
        finally:
            while self._undo:
                self._undo.pop()()
        if kept is not None:
            raise kept

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close_after(error)

    def close_after(self, error: BaseException | None) -> None:
        """Close; when ``error`` is under way, a failing close becomes a note on it."""
        try:
            self.close()
        except Exception as closing:
            if error is None:
                raise
            if closing is not error:
                error.add_note(f"closing the world failed as well: {closing}")

    # ------------------------------------------------------------------ operations

    def begin_step(self, number: int) -> None:
        """What is started from now on belongs to this step of a program: ``acquire@7``."""
        self._step = f"@{number}"
        self.clock.reads = 0
        self.scheduler.begin_step()

    def start(
        self,
        async_fn: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        may_stay: bool = False,
    ) -> Operation[T]:
        """Put ``async_fn(*args)`` in flight. Nothing runs before the world is pumped.

        A machine calls an operation that nothing can end a Deadlock, unless it ``may_stay``.
        """
        name = self._name(name or name_of(async_fn))
        operation: Operation[T] = Operation(name, self.clock, may_stay=may_stay)
        self._operations.append(operation)
        self._pump.nursery.start_soon(operation.carry, async_fn, args, name=operation.name)
        return operation

    def cancel(self, operation: Operation[Any], *, checkpoint: int = 0, slices: int = 0) -> None:
        """Cancel ``operation`` when it stands at its ``checkpoint``-th checkpoint, 0: now.

        With ``slices``, not before so many slices of any tasks. PlanError unless integers >= 0.
        """
        operation.cancel(checkpoint=checkpoint, slices=slices)
        if not operation.cancel_if_due():
            self._to_cancel.append(operation)

    def _cancel_due_operations(self) -> None:
        """After a slice: cancel the operations whose instant has come."""
        if self._to_cancel:
            self._to_cancel = [each for each in self._to_cancel if not each.slice_has_run()]

    def spawn(
        self, async_fn: Callable[..., Awaitable[object]], *args: Any, name: str | None = None
    ) -> None:
        """Start a service that lives as long as the world; if it fails, the world fails."""
        self.clock.asked = True
        name = self._name(name or name_of(async_fn))
        self._pump.nursery.start_soon(self._serve, async_fn, args, name=name)

    @overload
    def serve(self, served: S, *, host: str = ..., port: int = ...) -> S: ...
    @overload
    def serve(self, served: FaultPlan | None = ..., *, host: str = ..., port: int = ...) -> Any: ...
    def serve(
        self, served: Served | FaultPlan | None = None, *, host: str = "api.test", port: int = 80
    ) -> Any:
        """Serve a server at ``http://host:port`` as long as the world lives; gives it back.

        Anything with ``async serve(listeners)`` is served as it is. Of a plan (None: silence) the
        chaos server of the world's machine is made, as ``chaos.serve()`` does. PlanError in a
        world without a machine, which has to be given the server itself.
        """
        if served is None or not hasattr(served, "serve"):
            if self.provide is None:
                raise PlanError(
                    "this world has no machine that makes a server of a plan: give it the server "
                    "itself, world.serve(ChaosServer(plan, choices=world.choices))"
                )
            return self.provide(served, host, port)
        self.network.add_host(host)
        # Not by ``run``: an async setup serves as well, and inside a task nothing pumps.
        listeners = _at_once(self.network.listen(host, port))
        self.spawn(served.serve, listeners, name="chaos server")
        return served

    async def _serve(
        self, async_fn: Callable[..., Awaitable[object]], args: tuple[Any, ...]
    ) -> None:
        try:
            await async_fn(*args)
        except Exception as error:
            cause = first_cause(error)
            if isinstance(cause, Exception):
                self._fail(cause)
            else:
                raise

    def run(self, async_fn: Callable[..., Awaitable[T]], *args: Any, name: str | None = None) -> T:
        """Run ``async_fn(*args)`` to its end, letting time pass as needed; its value or error."""
        __tracebackhide__ = True
        self._refuse_inside_a_task("run()", "await the function itself")
        operation = self.start(async_fn, *args, name=name)
        return self.run_until(operation)

    def run_until(self, operation: Operation[T]) -> T:
        """Pump until ``operation`` is done; Deadlock when no deadline lies ahead."""
        __tracebackhide__ = True
        self._refuse_inside_a_task("run_until()", "await operation.wait()")
        self._pump.run_until(lambda: operation.done, operation.name)
        return operation.result()

    def follow(self, operation: Operation[Any]) -> None:
        """Pump until ``operation`` is done, or until nothing lies ahead that could end it.

        Whoever polls for ever lets time pass for ever: so it ends after 2000 deadlines as well.
        """
        self._refuse_inside_a_task("follow()", "await operation.wait()")
        self._pump.run_while_possible(lambda: operation.done, FOLLOWED_JUMPS_MAX)

    def endless(self) -> list[Operation[Any]]:
        """The operations in flight that nothing can end, but for those that may stay.

        Lets time pass as far as needed to know. Where something polls for ever, nobody can know
        what it will do, and the answer is none.
        """
        waiting = [operation for operation in self.in_flight() if not operation.may_stay]
        if not waiting:
            return []
        self._refuse_inside_a_task("endless()", "wait with a deadline")
        self._pump.run_while_possible(lambda: all(o.done for o in waiting), ENDLESS_JUMPS_MAX)
        if not self._pump.stands_still:
            return []
        return [operation for operation in waiting if not operation.done]

    def settle(self) -> None:
        """Run until every task is blocked; time stands still. Livelock when that never comes."""
        self._refuse_inside_a_task("settle()", "await trio.testing.wait_all_tasks_blocked()")
        self._pump.settle()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass; PlanError unless in [0, 1e9]."""
        legal = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not legal or not 0 <= seconds <= ADVANCE_MAX_S:
            raise PlanError(f"seconds must be in [0, {ADVANCE_MAX_S:g}], got {seconds!r}")
        self._refuse_inside_a_task("advance()", "await trio.sleep(seconds)")
        # Integer nanoseconds, so that 200 steps of 0.1 s end at 20 s exactly.
        target_ns = round(self.clock.now * 1e9) + round(seconds * 1e9)
        self._pump.advance(target_ns / 1e9)

    @property
    def settled(self) -> bool:
        """Whether every task is blocked at this instant."""
        return self._pump.quiet

    def in_flight(self) -> list[Operation[Any]]:
        """The operations that have not ended, in the order of their start."""
        self._failed += [each for each in self._operations if each.state == "failed"]
        self._operations = [operation for operation in self._operations if not operation.done]
        return list(self._operations)

    def unheard(self) -> list[Operation[Any]]:
        """The operations that failed and that nobody looked at since, in the order of their start.

        Who awaits an operation, or asks for its result or its error, has looked at it.
        """
        self.in_flight()
        self._failed = [operation for operation in self._failed if not operation.looked_at]
        return list(self._failed)

    @property
    def now(self) -> float:
        """Virtual seconds since the world opened."""
        self.clock.asked = True
        return self.clock.now

    @property
    def minds_time(self) -> bool:
        """Whether anything depends on time: a read, deadline, timer, service, wait for idleness."""
        return self.clock.asked or self.answers.asked_for_time or self._pump.waits_for_idle

    def random_bytes(self, size: int) -> bytes:
        """Bytes from the world's own stream, the same in every run."""
        return self.answers.random_bytes(size)

    def _refuse_inside_a_task(self, what: str, instead: str) -> None:
        """A task cannot pump the world that runs it, nor move its clock."""
        if self._pump.ticking:
            raise WorldError(
                f"world.{what} was called by a task of this world, at {calling_place()}: a task "
                f"cannot move the world that runs it. Inside async code {instead}; or call it "
                f"from a sync rule"
            )

    # ------------------------------------------------------------------ failing

    def fail(self, error: BaseException) -> None:
        """Let the world fail with ``error``: raised to whoever pumps it, when this tick ends.

        A world that is closing goes on closing: what its last tasks raise comes too late.
        """
        if self._state == "open":
            self._fail(error)

    def raise_kept(self) -> None:
        """Raise the Escape or Livelock that sync code met since, whether it swallowed it or not."""
        kept, self._pump.failure = self._pump.failure, None
        if kept is not None:
            raise kept

    def _absorb(self, error: BaseException) -> bool:
        if self._pump.ticking:
            self._fail(error)
        return self._pump.ticking

    def _fail(self, error: BaseException) -> None:
        if self._pump.failure is None:
            self._pump.failure = error

    def _name(self, name: str) -> str:
        name += self._step
        number = self._names.get(name, 0)
        self._names[name] = number + 1
        return name if number == 0 else f"{name}.{number}"


def _at_once(listening: Coroutine[Any, Any, T]) -> T:
    """The value of a coroutine that never waits; InternalError when it does."""
    try:
        listening.send(None)
    except StopIteration as finished:
        value: T = finished.value
        return value
    listening.close()
    raise InternalError(f"network.listen() waited, though it must not: {listening!r}")
