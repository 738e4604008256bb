"""What comes from outside, and how late: a timer, a socket's readiness, a worker thread's end.

Each is announced here by its source. The world's schedule says whether it is late; what is late is
kept until the schedule lets it come, or until nothing else can happen at this instant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from chaoscheck.world.deadlines import Deadline, OrderedDeadlines
from chaoscheck.world.schedule import Fifo, Scheduler
from chaoscheck.world.source import Source

__all__ = ["Late", "Outside"]

# Theory of operation. trio asks for packets, threads and passed deadlines between two batches. What
# it does not hear of then it hears of after the next batch, or after any later one: packets travel,
# and of two deadlines that virtual time makes equal one is microseconds later. So what comes from
# outside is late by whole batches, and each batch boundary asks the schedule again.
#
# Nothing is late where nothing else can happen at this instant: it would be no later than before.
# So nothing is drawn there, and time never moves while something is late. What is late has not
# happened yet: a task that is cancelled meanwhile never sees it, and what is announced for a socket
# that another task looks at must have come by then (``Late.come``).
#
# A socket's readiness comes before the next batch (``expect``), as trio asks the kernel only then;
# under every schedule, so a task that is cancelled in the batch in which its packet arrives never
# sees it. Whether it is late is asked there too: only then is it known whether anything else goes
# on.
#
# Timers come in the order in which they were set (see ``deadlines``): while one is late, so are all
# after it.


class Late:
    """Something that has not come yet."""

    __slots__ = ("_deliver", "_outside", "is_sure", "source")

    def __init__(
        self, outside: Outside, source: Source, deliver: Callable[[], None], *, is_sure: bool
    ) -> None:
        self.source = source
        self.is_sure = is_sure  # whether the schedule said so
        self._outside = outside
        self._deliver = deliver

    def come(self) -> None:
        """It comes now."""
        self._outside.forget(self)
        self._outside.scheduler.came(self.source)
        self._deliver()

    def end(self) -> None:
        """Something else ends the wait, by the same task or another: it never comes."""
        self._outside.forget(self)
        self._outside.scheduler.came(self.source)

    def miss(self) -> None:
        """The task no longer waits for it: it was cancelled."""
        self._outside.forget(self)
        self._outside.scheduler.missed(self.source)


class Outside:
    """What may come late in one world, and what is late at the moment."""

    def __init__(self) -> None:
        #: Whether a world asks before each batch what has come.
        self.is_asked = False
        #: Whether the schedule of this world has late sources at all.
        self.may_be_late = False
        self.scheduler: Scheduler = Fifo()
        self._deadlines: OrderedDeadlines | None = None
        self._can_go_on: Callable[[], bool] = _never
        self._late: list[Late] = []
        self._timers: deque[Deadline] = deque()

    def begin(
        self, scheduler: Scheduler, deadlines: OrderedDeadlines, can_go_on: Callable[[], bool]
    ) -> None:
        """The world opens; ``can_go_on`` says whether anything can happen at this instant."""
        self.is_asked = True
        self.may_be_late = deadlines.keeps_sources = scheduler.has_late_sources
        self.scheduler, self._deadlines, self._can_go_on = scheduler, deadlines, can_go_on

    def end(self) -> None:
        """Nothing is late any more; what was comes now, without a word to the schedule."""
        self.is_asked = self.may_be_late = False
        self.scheduler = Fifo()
        while self._late:
            self._late[0].come()
        while self._timers and self._deadlines is not None:
            self._deadlines.give_back(self._timers.popleft())
        self._deadlines, self._can_go_on = None, _never  # else the run and this keep each other

    @property
    def is_late(self) -> bool:
        """Whether anything is late at the moment."""
        return bool(self._late or self._timers)

    @property
    def has_news(self) -> bool:
        """Whether there is anything for ``before_batch`` to let come or to hold."""
        if self._late or self._timers:
            return True
        deadlines = self._deadlines
        return self.may_be_late and deadlines is not None and deadlines.are_due

    def late_sources(self) -> list[Source]:
        """What is late at the moment."""
        timers = [] if self._deadlines is None else map(self._deadlines.source_of, self._timers)
        return [*(late.source for late in self._late), *timers]

    def delay(self, source: Source, deliver: Callable[[], None]) -> Late | None:
        """What to keep if the source is late: then ``deliver`` is called once it comes."""
        if not self.may_be_late or not (self.is_late or self._can_go_on()):
            return None
        if not self.scheduler.withholds(source):
            return None
        late = Late(self, source, deliver, is_sure=True)
        self._late.append(late)
        return late

    def expect(self, source: Source, deliver: Callable[[], None]) -> Late:
        """What comes before the next batch, or later: then ``deliver`` is called."""
        late = Late(self, source, deliver, is_sure=False)
        self._late.append(late)
        return late

    def of_current_task(self, kind: str, deliver: Callable[[], None]) -> Callable[[], None]:
        """``deliver``, which comes late if what the running task is about to wait for does."""
        if not self.may_be_late:
            return deliver
        try:
            task = trio.lowlevel.current_task()
        except RuntimeError:
            return deliver  # sync code of a rule: no task waits
        source = Source(kind, task, task._schedule_points + 1)

        def announce() -> None:
            if self.delay(source, deliver) is None:
                deliver()

        return announce

    def before_batch(self) -> None:
        """Let come what comes before the next batch."""
        if self._deadlines is None:
            return
        if self.may_be_late:
            self._timers.extend(self._deadlines.take_due())
        for late in tuple(self._late):
            if late not in self._late:
                continue  # another one brought it along
            late.is_sure = self._is_busy(late) and self.scheduler.withholds(late.source)
            if not late.is_sure:
                late.come()
        while self._timers:
            entry = self._timers[0]
            if self._deadlines.is_current(entry):
                busy = self._can_go_on() or bool(self._late)
                if busy and self.scheduler.withholds(self._deadlines.source_of(entry)):
                    return
            self._next_timer()

    def _is_busy(self, late: Late) -> bool:
        """Whether it may be late, since something else can happen before it comes."""
        if not self.may_be_late:
            return False
        return late.is_sure or self._can_go_on() or len(self._late) + len(self._timers) > 1

    def one_comes(self) -> bool:
        """Nothing else can happen at this instant: let something come, if anything is late."""
        if not self.is_late:
            return False
        first_timer = len(self._late)  # the timers after it wait for it
        place = self.scheduler.first_to_come(self.late_sources()[: first_timer + 1])
        if place < len(self._late):
            self._late[place].come()
        else:
            self._next_timer()
        return True

    def forget(self, late: Late) -> None:
        """It is no longer late."""
        self._late.remove(late)

    def _next_timer(self) -> None:
        """The first timer comes, and with it those that have the very same deadline."""
        assert self._deadlines is not None
        first = self._timers[0]
        counts = self._deadlines.is_current(first)
        while self._timers and (self._timers[0] is first or counts):
            if self._timers[0][0] is not first[0]:
                return
            entry = self._timers.popleft()
            self.scheduler.came(self._deadlines.source_of(entry))
            self._deadlines.give_back(entry)


def _never() -> bool:
    return False
