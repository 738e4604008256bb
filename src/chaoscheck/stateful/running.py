"""How a machine becomes a test: Hypothesis's own run, the shortest story, the guards."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NoReturn, Protocol

from hypothesis import Phase
from hypothesis import settings as Settings
from hypothesis.errors import DidNotReproduce, Flaky, FlakyStrategyDefinition

from chaoscheck.errors import NotExercised, PlanError
from chaoscheck.history.run_statistics import RunStatistics
from chaoscheck.plan.program import Program
from chaoscheck.stateful.asserts import require_asserts
from chaoscheck.stateful.claims import ToldElsewhere, current_claims
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.exploring.exploring import explore, slice_for
from chaoscheck.stateful.failures import Failure
from chaoscheck.stateful.given_replay import given_replay, replay_of
from chaoscheck.stateful.hypothesis_run import run_hypothesis
from chaoscheck.stateful.machine_key import database_key_of
from chaoscheck.stateful.machine_settings import default_settings, safe_settings
from chaoscheck.stateful.mistakes import cheap_story_of, note_of_mistake
from chaoscheck.stateful.programs.determinism import not_seen_again, require_determinism
from chaoscheck.stateful.programs.minimal import Minimal, minimal_of, tell
from chaoscheck.stateful.programs.replaying import Replay
from chaoscheck.stateful.shard import RunSeed, current_shard
from chaoscheck.stateful.tallies.search_progress import SearchProgress
from chaoscheck.stateful.user_frames import without_our_frames
from chaoscheck.world.schedule import hook_available

__all__ = [
    "Keeper",
    "hear_statistics",
    "machine_test_case",
    "report_of",
    "run_machine",
    "show_progress",
    "use_keeper",
]

# By this name unittest leaves the frames of this module out of what it prints.
__unittest = True

# A rare fault may be missed by chance: the search goes on this many times, each time with the
# missing faults alone, before the guard says that the machine cannot reach them. Where many are
# missing, as for a machine that declares them all, a few at a time come up often enough.
_SEARCHES_MAX = 6
_SEARCHES_FOR_LAWS_MAX = 2  # whole ones, so that a law by chance saw nothing but exempt cases
_GROUP_MAX = 4
_GROUP_EXAMPLES_MIN = 20


class Keeper(Protocol):
    """Keeps what failed, so that it is replayed first ever after."""

    def replay_first(self, machine: Any) -> None:
        """Before a search: raise what a kept story of this machine still raises."""

    def keep(self, machine: Any, minimal: Minimal) -> list[str]:
        """After a search: keep the shortest story of a bug; lines for the report."""


_keeper: Keeper | None = None
_progress: Callable[[str], object] | None = None
_listener: Callable[[RunStatistics], object] | None = None


def show_progress(progress: Callable[[str], object] | None) -> None:
    """Let ``progress`` show how far searches and shrinking are: a line; an empty one at the end."""
    global _progress
    _progress = progress


def hear_statistics(listener: Callable[[RunStatistics], object] | None) -> None:
    """Let ``listener`` hear what each run of a machine counted, once it is over, green or not."""
    global _listener
    _listener = listener


def use_keeper(keeper: Keeper | None) -> None:
    """Let ``keeper`` keep the failures of this process; None: nobody does."""
    global _keeper
    _keeper = keeper


def run_machine(machine: Any, settings: Settings | None = None) -> None:
    """Run a chaos machine as a test: raises what it found, minimal and with its story told.

    Afterwards every fault that the machine declares must have had an effect that a law judged, and
    no law may have skipped all its cases, else NotExercised.
    A replay (one example by design) and a run without the generate phase skip that guard.
    Unreproducible is raised when the same choices lead elsewhere, PlanError under python -O.
    Without ``settings`` those of the machine's TestCase are taken.
    """
    __tracebackhide__ = True
    require_asserts()
    settings = safe_settings(machine.TestCase.settings if settings is None else settings)
    machine._tally.reset()
    if machine._replayed is not None:
        _replay_program(machine, machine._replayed)
        return
    if getattr(machine, "_hypothesis_internal_use_reproduce_failure", None) is not None:
        _replay_choices(machine, settings)
        return
    shard = current_shard()
    settings = shard.share_of(settings)
    if _keeper is not None and shard.leads:
        _keeper.replay_first(machine)
    claims = current_claims()
    seed = RunSeed.of(machine, settings, database_key_of(machine))
    try:
        _search_all(machine, settings, seed)
        claims.require_none_elsewhere()
    except BaseException as error:
        if kind_of(error) in ("failure", "mistake") and not isinstance(error, ToldElsewhere):
            claims.note_on(error)
            if isinstance(error, NotExercised):
                error.add_note(note_of_mistake(error, machine))
            seed.note_on(error)
        raise
    finally:
        _tell_what_was_counted(machine, seed)


def _tell_what_was_counted(machine: Any, seed: RunSeed) -> None:
    if _progress is not None:
        _progress("")
    if _listener is not None:
        statistics = machine._tally.statistics(machine.__qualname__)
        _listener(replace(statistics, seeds=(seed.base,)))


def _search_all(machine: Any, settings: Settings, seed: RunSeed) -> None:
    """The machine as it is, and, while faults are missing, with those alone."""
    __tracebackhide__ = True
    tally, key = machine._tally, database_key_of(machine)
    _explore(machine, settings, seed)
    _search(machine, settings, key, seed.of_search(0))
    if Phase.generate not in settings.phases:
        return
    number = 0
    for _ in range(1, _SEARCHES_MAX):
        groups = _groups(tally.missing())
        if not groups and tally.laws_that_only_skip() and number < _SEARCHES_FOR_LAWS_MAX:
            number += 1
            _search(machine, settings, f"{key}, search {number}", seed.of_search(number))
        share = max(_GROUP_EXAMPLES_MIN, settings.max_examples // max(len(groups), 1))
        fewer = Settings(settings, max_examples=min(settings.max_examples, share))
        for missing in groups:
            number = _search_for(machine, missing, fewer, seed, number)
    tally.require(machine.__name__)


def _search_for(
    machine: Any, missing: list[str], settings: Settings, seed: RunSeed, number: int
) -> int:
    """Search with these faults alone, until each of them was exercised; the last search's number.

    A few examples mostly do, so it takes all of ``settings`` only while any is missing.
    """
    __tracebackhide__ = True
    narrowed = _narrowed(machine, missing)
    # Other choices lead elsewhere here, and Hypothesis forgets what no longer fails.
    key = f"{database_key_of(machine)} with {', '.join(missing)} alone"
    left, part = settings.max_examples, _GROUP_EXAMPLES_MIN
    while left > 0 and not {*missing}.isdisjoint(machine._tally.missing()):
        number += 1
        part = min(part, left)
        narrowed._tally.reset()
        _search(narrowed, Settings(settings, max_examples=part), key, seed.of_search(number))
        machine._tally.add_run(narrowed._tally)
        left, part = left - part, 2 * part
    return number


def _shrinking(program: Program, replays: int) -> None:
    if _progress is not None:
        _progress(f"shrinking: {len(program)} lines after {replays} replays")


def _groups(missing: list[str]) -> list[list[str]]:
    return [missing[at : at + _GROUP_MAX] for at in range(0, len(missing), _GROUP_MAX)]


def _explore(machine: Any, settings: Settings, seed: RunSeed) -> None:
    """The explorer's share of the search."""
    __tracebackhide__ = True
    if Phase.generate not in settings.phases:
        return
    share = slice_for(
        in_flight=machine._has_operations,
        examples=settings.max_examples,
        shards=current_shard().count,
    )
    if not share.seconds:
        return
    explored = explore(
        machine,
        seconds=share.seconds,
        seed=int(seed.of_search(-1)),  # not a number that a search of Hypothesis's has
        examples_max=share.examples_max,
        several=settings.report_multiple_bugs,
    )
    machine._failures.clear()
    ours = [each for each in explored.failures.values() if _is_ours(each)]
    for failure in ours:
        machine._failures.adopt(failure)
    errors = [failure.first.error for failure in ours]
    told = [_shortest(machine, error) for error in errors if error is not None]
    if told:
        _raise_all(machine, told)


def _is_ours(failure: Failure) -> bool:
    """Whether no other shard of the machine reports this failure."""
    error = failure.first.error
    if error is None:
        return False
    return kind_of(error) == "mistake" or current_claims().claim(failure.origin)


def _search(machine: Any, settings: Settings, key: str, seed: int | str) -> None:
    """Hypothesis's own run; what it finds is raised as its shortest story.

    ``key`` is what Hypothesis's database knows it by.
    """
    __tracebackhide__ = True
    machine._failures.clear()
    tally = machine._tally
    if _progress is not None:
        tally.on_example = SearchProgress(machine.__name__, settings.max_examples, _progress)
    try:
        run_hypothesis(machine, settings, key=key, seed=seed)
        return
    except (Flaky, FlakyStrategyDefinition) as flaky:
        require_determinism(machine, machine._failures.last_program(), flaky)
        latest = machine._failures.latest
        if latest is None or latest.error is None:
            raise
        raise not_seen_again(machine, latest.error) from flaky
    except BaseException as error:
        if kind_of(error) in ("stop", "invalid"):
            raise
        found = error
    finally:
        tally.on_example = None
    _raise_all(machine, [_shortest(machine, each) for each in _bugs(machine, found)])


def _raise_all(machine: Any, told: list[BaseException]) -> NoReturn:
    __tracebackhide__ = True
    if len(told) == 1:
        raise told[0] from None
    raise BaseExceptionGroup(f"{machine.__name__} breaks in {len(told)} ways", told) from None


def _bugs(machine: Any, error: BaseException) -> list[BaseException]:
    """What a search ended with: its bugs one by one.

    Hypothesis raises a group where it found several; a subject may raise one as well. A mistake or
    a skip ends a search at once, and hides no failure that was met before.
    """
    kind = kind_of(error)
    if kind in ("mistake", "skip"):
        met = [each.last.error for each in machine._failures.all()]
        failures = [each for each in met if each is not None and kind_of(each) == "failure"]
        return failures if kind == "skip" and failures else [error, *failures]
    if isinstance(error, BaseExceptionGroup):
        several = list(error.exceptions)
        if machine._failures.of(several[-1]) is not None:
            return several
    return [error]


def _shortest(machine: Any, error: BaseException) -> BaseException:
    """The same bug, raised by its shortest story; ``error`` itself where nothing replays."""
    failure = machine._failures.of(error)
    if kind_of(error) == "mistake":
        return _told_mistake(machine, failure, error)
    return error if failure is None else _told(machine, failure, error)


def _told_mistake(machine: Any, failure: Failure | None, error: BaseException) -> BaseException:
    minimal = cheap_story_of(machine, failure)
    if minimal is None or minimal.replay.error is None:
        error.add_note(note_of_mistake(error, machine))
        return error
    shortest = minimal.replay.error
    for line in (note_of_mistake(shortest, machine), *report_of(minimal.replay)):
        shortest.add_note(line)
    return shortest


def _told(machine: Any, failure: Failure, error: BaseException) -> BaseException:
    """The shortest story of a failure; its own ``error`` where no story replays."""
    minimal = minimal_of(machine, failure, progress=_shrinking if _progress else None)
    if minimal is None:
        require_determinism(machine, failure.last.program, error)
        error.add_note(
            "This story does not fail without Hypothesis, so it is told as Hypothesis shrank it."
        )
        error.add_note(f"Replay this story: {replay_of(machine, failure.last.blob)}")
        return error
    require_determinism(machine, minimal.program, minimal.replay.error)
    shortest = minimal.replay.error
    assert shortest is not None
    kept = [] if _keeper is None else _keeper.keep(machine, minimal)
    for line in (*report_of(minimal.replay), *kept):
        shortest.add_note(line)
    shortest.add_note(f"Replay this story: {replay_of(machine, minimal.blob)}")
    return shortest


def report_of(run: Replay) -> list[str]:
    """The story of a replay that was told aloud, what was in flight, and what was left out."""
    return [
        "The shortest story found:",
        *run.lines,
        *(f"# {each}" for each in run.orders),
        *([] if run.broke is None else [f"# broke: {run.broke}"]),
        *([] if run.hint is None else [f"# hint: {run.hint}"]),
        *(f"# {each}" for each in run.in_flight),
        *(f"# step {number} is stale: {why}" for number, why in run.skipped.items()),
        *([] if hook_available() else [_NO_HOOK]),
    ]


_NO_HOOK = "# schedules were not searched: this trio lacks the hook (see chaoscheck doctor)"


def _narrowed(machine: Any, missing: list[str]) -> Any:
    """The same machine and laws with no other faults than these, so that they come up often."""
    return type(machine)(
        machine.__name__,
        (machine,),
        {
            "__module__": machine.__module__,
            "faults": tuple(kind for kind in machine.faults if kind.name in missing),
            "links": tuple(name for name in machine.links if name in missing),
            "cancels": "cancel" in missing,
        },
    )


def _replay_program(machine: Any, program: Program) -> None:
    """Raise what ``program`` raises, with its story; PlanError when it passes."""
    __tracebackhide__ = True
    run = tell(machine, program)
    if run.skip is not None:
        raise run.skip
    if run.error is None:
        raise PlanError(_NO_LONGER.format(machine.__name__))
    for line in report_of(run):
        run.error.add_note(line)
    raise run.error


def _replay_choices(machine: Any, settings: Settings) -> None:
    try:
        run_hypothesis(machine, settings)
    except DidNotReproduce:
        raise PlanError(_NO_LONGER.format(machine.__name__)) from None


_NO_LONGER = (
    "this story does not fail on {} as it is now: it was fixed, or the "
    "machine changed, or the blob belongs to another machine"
)


@lru_cache
def machine_test_case(machine: Any) -> type[unittest.TestCase]:
    """A unittest.TestCase that runs the machine; its ``settings`` may be set, as Hypothesis's."""

    class ChaosTestCase(unittest.TestCase):
        settings = default_settings()

        def runTest(self) -> None:  # noqa: N802  # unittest's name
            __tracebackhide__ = True
            try:
                with given_replay(machine):
                    run_machine(machine, self.settings)
            except BaseException as error:
                raise without_our_frames(error)  # noqa: B904  # the same error, its frames fewer

        runTest.is_hypothesis_test = True  # type: ignore[attr-defined]
        runTest._hypothesis_state_machine_class = machine  # type: ignore[attr-defined]

    ChaosTestCase.__name__ = f"{machine.__name__}.TestCase"
    ChaosTestCase.__qualname__ = f"{machine.__qualname__}.TestCase"
    ChaosTestCase.__module__ = machine.__module__
    return ChaosTestCase
