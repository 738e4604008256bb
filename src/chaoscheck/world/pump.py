"""The pump: drives one trio run by hand, from sync code, one tick at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import sniffio
import trio
import trio._core._run as trio_run

from chaoscheck.errors import Deadlock, InternalError, Livelock, Uncancellable, WorldError
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.deadlines import OrderedDeadlines
from chaoscheck.world.killing import kill, only_own_tasks_live
from chaoscheck.world.outside import Outside
from chaoscheck.world.schedule import Fifo, Scheduler, hook_available
from chaoscheck.world.task_story import tell_tasks

# Theory of operation. trio's run loop is a generator that yields before each wait for I/O and
# runs one batch of tasks when sent the events. We hold that generator: a *tick* sends it the
# events and returns after the batch. Between ticks sync code (rules, Hypothesis) runs, and the
# run simply stands. The clock is ours and never moves inside a tick.
#
# *quiet*: nothing is runnable, nothing was posted to the entry queue, no wait for idleness has
# lasted its cushion, and no deadline or timer is due. A quiet run is never ticked: its wait would
# be real.
#
# A tick may run one task of a batch only. What comes from outside comes between batches, as in a
# real run: timers fire, and trio hears the time and expires deadlines, when the batch is over.
#
# Not ``trio.lowlevel.start_guest_run`` (public, half as fast, needs a helper thread), nor a
# MockClock (trio itself would jump it). All private names of trio that the pump needs are in
# this module and in ``schedule``; a canary test holds them to the pinned range of trio.

__all__ = ["Pump", "first_cause"]

TICKS_MAX = 100_000  # ticks without time moving: ~0.3 s of CPU, far above any honest batch
FAIR_TICKS = TICKS_MAX // 2  # after so many the rest is run first come, first served
WAIT_MAX_S = 86_400.0  # virtual seconds after which a wait counts as endless
JUMPS_MAX = 200_000  # deadlines after which it does: ~4 s of CPU
CLOSE_TICKS_MAX = 5_000  # a closing run gets this many ticks, then it is killed
CLOSE_SECONDS_MAX = 3_600.0  # virtual seconds that shielded clean-up may sleep while closing
_SILENCE_S = 0.25  # real seconds of silent sockets before a wait without deadline is a deadlock
_DUE_S = 1e-9  # a deadline this close to the target of `advance` counts as reached


class Pump:
    """One trio run, driven from outside. Open it once, close it once."""

    def __init__(self, clock: VirtualClock, *, quiet_s: float | None = None) -> None:
        """``quiet_s``: how long real sockets must be silent to count as quiet; None: no sockets."""
        self.clock = clock
        self.scheduler: Scheduler = Fifo()
        self.outside = Outside()
        self.after_tick: Callable[[], object] | None = None
        self._by_hand = not hook_available()
        self._generation: list[trio.lowlevel.Task] = []
        self._idle_since_s = 0.0  # when the last tick ran: trio counts its cushions from there
        self._quiet_s = quiet_s
        self._ran = False  # whether a batch ran since the sockets were last silent
        self.ticking = False
        self.interrupted = False  # whether Ctrl-C came inside a tick
        self.failure: BaseException | None = None  # set by whoever must not raise inside a tick
        self._runner: Any = None
        self._loop: Generator[float, Any, None] | None = None
        self._nursery: trio.Nursery | None = None

    # ------------------------------------------------------------------ opening and closing

    def open(self) -> None:
        """Start the run; WorldError when this thread is inside a trio run already."""
        if trio.lowlevel.in_trio_run():
            raise WorldError("this thread is inside a trio run (or an open world) already")
        self._runner = trio_run.setup_runner(self.clock, (), False, True)
        self._runner.deadlines = OrderedDeadlines(self.clock)
        self._loop = trio_run.unrolled_run(
            self._runner, self._main, (), host_uses_signal_set_wakeup_fd=True
        )
        try:
            self._send(None)
            while self._nursery is None or self._restless():
                self._send(())
        except BaseException:
            self._kill()
            raise

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await trio.sleep_forever()

    @property
    def nursery(self) -> trio.Nursery:
        """Where operations and services live."""
        if self._nursery is None or self._loop is None:
            raise WorldError("the world is not open")
        return self._nursery

    def close(self) -> None:
        """Cancel everything and let it clean up; kill what will not end (then Uncancellable).

        Shielded clean-up may sleep: time moves while closing, up to ``CLOSE_SECONDS_MAX``.
        """
        if self._loop is None:
            return
        self.after_tick = None
        if not self._restless() and only_own_tasks_live(self._runner):
            self._kill()
            return
        until_s = self.clock.now + CLOSE_SECONDS_MAX
        stubborn = ""
        try:
            self.nursery.cancel_scope.cancel()
            for _ in range(CLOSE_TICKS_MAX):
                if self._loop is None:
                    break
                self.clock.run_due()
                events = () if self._restless() else self._wait_for_io()
                if not (events or self._restless() or self._jump(until_s)):
                    stubborn = "never end although cancelled"
                    break
                self._send(events)
            else:
                stubborn = f"still run {CLOSE_TICKS_MAX} ticks after they were cancelled"
        finally:
            left = tell_tasks(self._nursery) if stubborn else ""
            if self._loop is not None:
                self._kill()
        if stubborn:
            raise Uncancellable(f"closing the world: these tasks {stubborn}:\n{left}")

    def _kill(self) -> None:
        """End the run where it stands."""
        loop, self._loop = self._loop, None
        kill(self._runner, loop)

    def use(self, scheduler: Scheduler, outside: Outside) -> None:
        """The open run takes its order, and what is late, from these."""
        self.scheduler = scheduler
        scheduler.push_back = self.push_back
        scheduler.meet(sorted(self._runner.tasks, key=lambda task: task._counter))
        if not self._by_hand:
            self.outside = outside
            outside.begin(scheduler, self._runner.deadlines, self._can_go_on)

    def go_fifo(self) -> None:
        """Nothing is decided any more, nor late."""
        self.scheduler = Fifo()
        self.outside.end()

    # ------------------------------------------------------------------ moving

    def settle(self) -> None:
        """Tick until quiet. The clock does not move. Livelock past ``TICKS_MAX`` ticks.

        The second half of them is run first come, first served: a schedule that starves the
        task for which all others wait is no livelock.
        """
        if not self._settle(FAIR_TICKS):
            self.scheduler.run_fifo(True)
            try:
                settled = self._settle(TICKS_MAX - FAIR_TICKS)
            finally:
                self.scheduler.run_fifo(False)
            if not settled:
                raise Livelock(
                    f"tasks are still runnable after {TICKS_MAX} ticks at {self.clock.now:g} s, "
                    f"and time cannot pass:\n{tell_tasks(self._nursery, only=self._runner.runq)}"
                )

    def _settle(self, ticks_max: int) -> bool:
        """Whether the run was quiet after at most so many ticks."""
        clock, outside = self.clock, self.outside
        for _ in range(ticks_max):
            if clock.next_timer() <= clock.now and self._between_batches():
                clock.run_due()
            if outside.has_news and self._between_batches():
                outside.before_batch()
                if outside.is_late and not self._can_go_on() and outside.one_comes():
                    continue
            events: Sequence[Any] = ()
            if not self._restless():
                events = self._wait_for_io()
                if not events:
                    return True
            self._send(events)
        return False

    def advance(self, target_s: float) -> None:
        """Let time pass until ``target_s``, stopping at each deadline and timer on the way."""
        self.settle()
        while self._jump(target_s + _DUE_S):
            self.settle()
        self.clock.now = max(self.clock.now, target_s)

    def run_until(self, done: Callable[[], bool], what: str) -> None:
        """Settle and jump from deadline to deadline until ``done()``; Deadlock if none is left."""
        if not self.run_while_possible(done):
            raise Deadlock(
                f"{what} never ends: no task can run and no deadline lies ahead "
                f"within a day of {self.clock.now:g} s. Waiting:\n{tell_tasks(self._nursery)}"
            )

    def run_while_possible(self, done: Callable[[], bool], jumps_max: int = JUMPS_MAX) -> bool:
        """Settle and jump from deadline to deadline until ``done()``; whether that ever came.

        It has not come after ``WAIT_MAX_S`` or ``jumps_max`` deadlines: services that tick for
        ever move time as well.
        """
        self.settle()
        limit_s = self.clock.now + WAIT_MAX_S
        jumps = 0
        while not done():
            jumps += 1
            if jumps > jumps_max or not (self._jump(limit_s) or self._still_carries()):
                return False
            self.settle()
        return True

    def _jump(self, limit_s: float) -> bool:
        """Move the clock to the next deadline or timer, if it is not beyond ``limit_s``."""
        deadline_s = self._runner.deadlines.next_deadline()
        next_s = min(deadline_s, self.clock.next_timer(), self._idle_at_s())
        if next_s > limit_s or next_s == math.inf:
            return False
        self.clock.now = max(self.clock.now, next_s)
        return True

    @property
    def stands_still(self) -> bool:
        """Whether nothing can run now, nor within ``WAIT_MAX_S`` as far as anybody has asked."""
        deadline_s = self._runner.deadlines.next_deadline()
        next_s = min(deadline_s, self.clock.next_timer(), self._idle_at_s())
        return self.quiet and next_s > self.clock.now + WAIT_MAX_S

    @property
    def quiet(self) -> bool:
        """Whether nothing can run at this instant."""
        clock = self.clock
        due = clock.next_timer() <= clock.now or self.outside.is_late
        return not due and not self._restless()

    @property
    def waits_for_idle(self) -> bool:
        """Whether a task waits for a time in which nothing happens."""
        return bool(self._runner is not None and self._runner.waiting_for_idle)

    def _wait_for_io(self) -> Sequence[Any]:
        """What real sockets report within the quiet time; nothing where there are none."""
        io_manager = self._runner.io_manager
        # trio's own wake-up is always registered; with nobody else there is nothing to wait for.
        if self._quiet_s is None or len(io_manager._registered) <= 1:
            return ()
        # Bytes need time to arrive only after somebody ran and may have sent some.
        events: Sequence[Any] = io_manager.get_events(self._quiet_s if self._ran else 0)
        self._ran = False
        return events

    def _still_carries(self) -> bool:
        """Whether real sockets report anything before a wait is called a deadlock."""
        if self._quiet_s is None:
            return False
        events = self._runner.io_manager.get_events(_SILENCE_S)
        if events:
            self._send(events)
        return bool(events)

    def _restless(self) -> bool:
        runner = self._runner
        return bool(
            runner.runq
            or (runner.waiting_for_idle and self._idle_at_s() <= self.clock.now)
            or runner.deadlines.next_deadline() <= self.clock.now
            or runner.entry_queue.size()
        )

    def _can_go_on(self) -> bool:
        """Whether anything can happen at this instant, but for waits for idleness."""
        runner, clock = self._runner, self.clock
        return bool(
            runner.runq
            or runner.deadlines.next_deadline() <= clock.now
            or runner.entry_queue.size()
            or clock.next_timer() <= clock.now
        )

    def _idle_at_s(self) -> float:
        """When the shortest wait for idleness ends, if nothing happens before; else infinity.

        As in trio, each tick begins its cushion anew, and a cushion of a day never ends.
        """
        waiting = self._runner.waiting_for_idle
        cushion_s: float = waiting.keys()[0][0] if waiting else math.inf
        return self._idle_since_s + cushion_s if cushion_s < WAIT_MAX_S else math.inf

    def _between_batches(self) -> bool:
        """Whether all tasks of a batch have run, so that the world outside has its turn."""
        return self.scheduler.between_generations and not self._generation

    def _send(self, events: Sequence[Any] | None) -> None:
        """One tick. Afterwards whatever failed inside it is raised here, flattened."""
        loop, runner = self._loop, self._runner
        if loop is None:
            raise WorldError("the world is not open")
        if events == () and (self._quiet_s is not None or runner.entry_queue.size()):
            events = runner.io_manager.get_events(0)  # trio wakes itself through a real socket
        self.clock.loop_asks = True
        self.clock.deadlines_wait = self._by_hand or not self.scheduler.between_generations
        kept = self._first_alone() if self._by_hand else ()
        library = sniffio.thread_local
        previous, library.name = library.name, "trio"
        self.ticking = self._ran = True
        self.clock.reads = 0
        try:
            loop.send(events)
        except StopIteration:
            self._loop = None
        finally:
            self.ticking = False
            self._idle_since_s = self.clock.now
            library.name = previous
            runner.runq.extend(kept)
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        if self.after_tick is not None:
            self.after_tick()
        if self._loop is None:
            self._raise_end()
        elif self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def _first_alone(self) -> Sequence[trio.lowlevel.Task]:
        """FIFO without the scheduler's hook: a tick gets one task, and here are the others."""
        runq = self._runner.runq
        if not self._generation:
            self._runner.deadlines.expire(self.clock.now)  # who wakes is of this batch
            self._generation = sorted(runq, key=lambda task: -task._counter)
        if not self._generation:
            return ()
        first = self._generation.pop()
        others = [task for task in runq if task is not first]
        runq.clear()
        runq.append(first)
        return others

    def push_back(self, tasks: Iterable[trio.lowlevel.Task]) -> None:
        """These stay runnable, after the tick that is being made up."""
        self._runner.runq.extend(tasks)

    def _raise_end(self) -> None:
        """The run is over: raise why, unless it was asked to end."""
        outcome = self._runner.main_task_outcome
        if outcome is None:
            raise InternalError("trio's run ended without an outcome")
        error = getattr(outcome, "error", None)
        if error is None:
            return
        cause = first_cause(error)
        if isinstance(cause, trio.Cancelled):
            return
        raise cause


def first_cause(error: BaseException) -> BaseException:
    """The first leaf of a (nested) exception group that is not a cancellation."""
    leaf: BaseException | None = None
    stack = [error]
    while stack:
        current = stack.pop()
        if isinstance(current, BaseExceptionGroup):
            stack.extend(reversed(current.exceptions))
        elif not isinstance(current, trio.Cancelled):
            return current
        else:
            leaf = leaf or current
    return leaf or error
