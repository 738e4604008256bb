"""The life of one example: its world opens, is healed and checked at the end, and closes."""

from __future__ import annotations

import inspect
import sys
from typing import Any, ClassVar

from hypothesis import event

from chaoscheck.errors import SubjectError
from chaoscheck.history.operations import History
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.driver import current_driver
from chaoscheck.stateful.failures import Failures
from chaoscheck.stateful.law_checks import LawChecks
from chaoscheck.stateful.tallies.example_tally import ExampleTally, effects_in_words
from chaoscheck.stateful.tallies.run_tally import RunTally
from chaoscheck.stateful.worlds import chosen_world
from chaoscheck.world.choices import Choices
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.world import World

# Theory of operation. A machine is made, its steps are taken, and ``teardown`` ends it: on every
# path, whatever failed. If a step failed, no final check runs: closing the world must never hide
# the failure.

__all__ = ["LifeCycle"]


class LifeCycle(LawChecks):
    """Opens a world for an example, and closes it on every path."""

    #: Virtual seconds between healing everything and the healed invariants.
    recovery_s: ClassVar[float] = 300.0

    _tally: ClassVar[RunTally] = RunTally(())
    _failures: ClassVar[Failures] = Failures()

    def __init__(self) -> None:
        self._outer_error = sys.exc_info()[1]
        super().__init__()
        driver = current_driver()
        if driver.under_hypothesis and driver.say is None and type(self)._failures.enough():
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
        try:
            # Drawn here, and not by whichever step first asks for chance: then every step can go.
            self.world.random_bytes(0)
            self._counts = ExampleTally(type(self)._tally)
            self.chaos = Chaos(self.world, self._counts)
            if inspect.iscoroutinefunction(self.setup):
                self.world.run(self.setup)
            else:
                self.setup()
        except BaseException as error:
            self.world.close_after(error)
            raise

    # ------------------------------------------------------------------ what users override

    def make_world(self, choices: Choices) -> World:
        """The world of one example: what ``--chaos-world`` says, virtual by default."""
        return chosen_world()(choices)

    def make_scheduler(self) -> Scheduler:
        """Who orders the tasks of one example; drawn by default. Real sockets are always FIFO."""
        return self._driver.scheduler()

    def make_selection(self) -> Any:
        """The strategy that draws (rule, arguments)."""
        raise NotImplementedError

    def setup(self) -> Any:
        """Build the subject; runs before the first rule; may be async."""

    # ------------------------------------------------------------------ the end of an example

    def teardown(self) -> None:
        """Heal and check, unless a failure is under way; close the world on every path."""
        error = sys.exc_info()[1]
        if error is self._outer_error:
            error = None
        try:
            self._finish_and_close(error)
        except BaseException as late:
            error = late
            raise
        finally:
            self._keep_count(error)

    def _finish_and_close(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self._finish()
        except BaseException as late:
            error = late
            raise
        finally:
            self.world.close_after(error)

    def _finish(self) -> None:
        """Liveness: once everything is healed, everything holds in bounded virtual time."""
        if self._initialize_rules_to_run:
            return  # the example ended before it began
        self.world.settle()
        self._tell_the_end(self._story.by_rate(self._faults_by_rate()))
        self._check_all(("settled",))
        self._tell_the_end(self._story.healed(self.recovery_s))
        self.chaos.heal_everything()
        self.world.advance(self.recovery_s)
        whens = ("settled", "at_rest", "healed") if self.resting() else ("settled", "healed")
        self._check_all(whens)
        self._hear_who_failed()

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
        injected, hits = self.chaos.injected(), self.chaos.hits()
        self._counts.end(
            injected, hits, failed=isinstance(error, Exception), lawless=not self.invariants
        )
        if self._driver.under_hypothesis:
            for text in effects_in_words(injected, hits):
                event(text)
        if isinstance(error, Exception):
            self._story.failed(error, self._driver.blob(), self._program())
            if self._driver.under_hypothesis:
                type(self)._failures.add(self._story, type(self)._tally.examples)
