"""The life of one example: its world opens, is healed and checked at the end, and closes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import event
from hypothesis.stateful import (
    INITIALIZE_RULE_MARKER,
    INVARIANT_MARKER,
    RULE_MARKER,
    StateMachineMeta,
)

from chaoscheck.errors import Deadlock, PlanError, SubjectError
from chaoscheck.history.operations import History
from chaoscheck.stateful.asserts import require_asserts
from chaoscheck.stateful.by_hand import require_none_by_hand, step_by_hand
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.driver import current_driver
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.failures import Failures
from chaoscheck.stateful.law_checks import LawChecks
from chaoscheck.stateful.tallies.example_tally import ExampleTally, effects_in_words
from chaoscheck.stateful.tallies.run_tally import RunTally
from chaoscheck.stateful.worlds import chosen_world
from chaoscheck.world.choices import Choices
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.world import World

# Theory of operation. A machine is made, its steps are taken, and it is ended: on every path,
# whatever failed, and whatever its author overrides. So neither end hangs on ``super()``:
#
# - The metaclass makes the machine. If its ``__init__`` raises, the world is closed; if it never
#   called ours, that is an error by name.
# - Hypothesis calls ``machine.teardown()`` and meets ``_end``, which stands in the instance: all
#   is healed and checked, then ``cleanup`` and the ``teardown`` of the class run in the open
#   world. It closes where that calls ``super().teardown()``, and after it in any case.
#
# If a step failed, no final check runs: what is wrong at the end must never hide the failure. An
# error of a later part becomes a note on the first.

__all__ = ["LifeCycle"]


_MARKERS = (RULE_MARKER, INITIALIZE_RULE_MARKER, INVARIANT_MARKER)
# What a note calls the parts of an example's end.
_PARTS = {
    "_clean_up": "cleanup()",
    "_tear_down": "teardown()",
    "_close_the_world": "closing the world",
}


class _MachineType(StateMachineMeta):
    """Makes machines; what cannot be made to the end leaves no world behind."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        require_none_by_hand()
        new: Any = self.__new__
        machine = new(self, *args, **kwargs)
        if not isinstance(machine, LifeCycle):
            return machine
        try:
            type(machine).__init__(machine, *args, **kwargs)
            if "world" not in vars(machine):
                raise PlanError(
                    f"{type(machine).__name__}.__init__ never calls super().__init__(), which "
                    f"makes the world; or put what it does into setup()"
                )
        except BaseException as error:
            machine._abandon(error)
            raise
        if machine._driver.by_hand:
            step_by_hand(machine)
        return machine


class LifeCycle(LawChecks, metaclass=_MachineType):
    """Opens a world for an example, and closes it on every path."""

    #: Hosts whose links the link faults break; by default all that have listened so far.
    link_hosts: ClassVar[tuple[str, ...]] = ()
    #: Virtual seconds between healing everything and the healed invariants.
    recovery_s: ClassVar[float] = 300.0
    #: The orders of tasks that are searched: "fair" (a present trio can show them) or "any";
    #: empty: what ``--chaos-schedules`` says, by default "fair", "any" in the profile nightly.
    schedules: ClassVar[str] = ""

    _tally: ClassVar[RunTally] = RunTally(())
    _failures: ClassVar[Failures] = Failures()

    def __init__(self) -> None:
        require_asserts()
        self._outer_error = sys.exc_info()[1]
        self._world_is_open = False
        super().__init__()
        self.teardown = self._end  # type: ignore[method-assign]  # see the theory of operation
        driver = current_driver()
        if driver.under_hypothesis:
            type(self)._failures.of_run(driver.run)
            if driver.say is None and type(self)._failures.enough():
                driver.skip()
        self._begin_record(driver)
        self._rules_strategy: Any = self.make_selection()
        self.world = self.make_world(driver.choices)
        self.history = History(self.world.clock.current_time)
        if not self.world.real_sockets:
            self.world.scheduler = self.make_scheduler()
        if driver.under_hypothesis:
            type(self)._failures.example = self._program
        self.world.open()
        self._world_is_open = True
        # Drawn here, and not by whichever step first asks for chance: then every step can go.
        self.world.random_bytes(0)
        self._counts = ExampleTally(type(self)._tally)
        self.chaos = Chaos(self.world, self._counts, self.link_hosts)
        self._run_hook("setup")

    # ------------------------------------------------------------------ what users override

    def make_world(self, choices: Choices) -> World:
        """The world of one example: what ``--chaos-world`` says, virtual by default."""
        return chosen_world()(choices)

    def make_scheduler(self) -> Scheduler:
        """Who orders the tasks of one example; drawn by default. Real sockets are always FIFO."""
        return self._driver.scheduler(self.schedules)

    def make_selection(self) -> Any:
        """The strategy that draws (rule, arguments)."""
        raise NotImplementedError

    def setup(self) -> Any:
        """Build the subject; runs before the first rule; may be async."""

    def cleanup(self) -> Any:
        """Give back what ``setup`` and the rules took; may be async.

        Runs at the end of every example, in the world that is about to close: after all checks,
        after a failure, and after a ``setup`` that failed half-way. What it raises fails the
        example, or becomes a note on the failure that is under way.
        """

    def teardown(self) -> Any:
        """Hypothesis's hook, after ``cleanup`` and otherwise the same; may be async.

        The machine's own end does not depend on it: ``super().teardown()`` closes the world, so
        what stands after it meets no running task; without that call it closes afterwards.
        """
        __tracebackhide__ = True
        self._close_the_world()

    def _run_hook(self, name: str) -> None:
        """Call a hook of the class, and pump it if it is async. A rule of its name is none."""
        __tracebackhide__ = True
        found = getattr(type(self), name)
        if any(hasattr(found, marker) for marker in _MARKERS):
            return
        hook = found.__get__(self, type(self))
        if inspect.iscoroutinefunction(hook):
            self.world.run(hook)
        else:
            hook()

    # ------------------------------------------------------------------ the end of an example

    def _end(self) -> None:
        """Heal and check, unless a failure is under way; close the world on every path."""
        __tracebackhide__ = True
        error = sys.exc_info()[1]
        if error is self._outer_error:
            error = None
        if self._world_is_open:
            self._end_after(error)

    def _end_after(self, error: BaseException | None) -> None:
        """Every part of the end; raises the first error that comes up, if none was under way."""
        __tracebackhide__ = True
        under_way = error
        parts = [*([self._finish] if error is None else []), *self._parts_of_closing()]
        for part in parts:
            error = _after(part, error)
        self._keep_count(error)
        if error is not under_way:
            assert error is not None
            raise error

    def _abandon(self, error: BaseException) -> None:
        """The machine could not be made: give back what there is."""
        if vars(self).get("_world_is_open", False):
            for part in self._parts_of_closing():
                _after(part, error)
            if "chaos" in vars(self):
                self._keep_count(error)

    def _parts_of_closing(self) -> list[Callable[[], None]]:
        hooks = [self._clean_up, self._tear_down] if "chaos" in vars(self) else []
        return [*hooks, self._close_the_world]

    def _clean_up(self) -> None:
        __tracebackhide__ = True
        self._run_hook("cleanup")

    def _tear_down(self) -> None:
        __tracebackhide__ = True
        self._run_hook("teardown")

    def _close_the_world(self) -> None:
        if self._world_is_open:
            self._world_is_open = False
            self.world.close()

    def _finish(self) -> None:
        """Liveness: once everything is healed, everything holds in bounded virtual time."""
        if self._initialize_rules_to_run:
            return  # the example ended before it began
        self.world.settle()
        self._require_awaited()
        self._tell_the_end(self._story.by_rate(self._faults_by_rate()))
        self._check_all(("settled",))
        self._tell_the_end(self._story.healed(self.recovery_s))
        self.chaos.heal_everything()
        self.world.advance(self.recovery_s)
        whens = ("settled", "at_rest", "healed") if self.resting() else ("settled", "healed")
        self._check_all(whens)
        self._require_operations_to_end()
        self._hear_who_failed()

    def _require_operations_to_end(self) -> None:
        """Nothing that is in flight may wait for what will never come."""
        endless = self.world.endless()
        if endless:
            waiting = "\n".join(f"  {place}" for each in endless for place in each.places())
            raise Deadlock(
                f"in flight for ever: {', '.join(each.name for each in endless)}. Everything was "
                f"healed {self.recovery_s:g} s ago, no task can run and no deadline lies ahead. "
                f"Waiting:\n{waiting}\n"
                f"Where that is meant, say rule(in_flight=True, may_stay=True), or "
                f"world.start(..., may_stay=True); a service belongs in world.spawn()"
            )

    def _hear_who_failed(self) -> None:
        """An operation that the user started by hand must not fail behind everybody's back."""
        for operation in self.world.unheard():
            if operation not in self._operations:  # rules in flight have refusals and doubts
                error = operation.error
                raise SubjectError(
                    f"operation {operation.name} failed and nobody joined it: "
                    f"{type(error).__name__}: {error}"
                ) from error

    def _keep_count(self, error: BaseException | None) -> None:
        failed = error is not None and kind_of(error) in ("failure", "mistake")
        injected, hits = self.chaos.injected(), self.chaos.hits()
        self._counts.end(injected, hits, failed=failed, lawless=not self.invariants)
        if self._driver.under_hypothesis:
            for text in effects_in_words(injected, hits):
                event(text)
        if error is not None and failed:
            self._story.failed(error, self._driver.blob(), self._program())
            if self._driver.under_hypothesis:
                type(self)._failures.add(self._story, type(self)._tally.examples)


def _after(part: Callable[[], None], error: BaseException | None) -> BaseException | None:
    """Do this as well; what it raises counts if nothing failed before, else it is a note."""
    try:
        part()
    except BaseException as late:
        kind = kind_of(late)
        if error is None or kind == "stop":
            return late
        if kind != "invalid":  # that is Hypothesis's word: a failure before it stands
            error.add_note(f"{_PARTS[part.__name__]} failed as well: {type(late).__name__}: {late}")
    return error
