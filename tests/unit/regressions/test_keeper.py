"""What is kept after a search, and what is replayed before the next."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import new_class
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from chaoscheck import ChaosMachine, rule
from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Drawn, Program, Step
from chaoscheck.regressions.folder import Folder, read_regression
from chaoscheck.regressions.keeper import FolderKeeper, keeping
from chaoscheck.regressions.law import Law
from chaoscheck.regressions.trial import tried
from chaoscheck.stateful.claims import Claims, claiming
from chaoscheck.stateful.machine_key import chaos_key_of
from chaoscheck.stateful.running import run_machine
from tests.unit.regressions.stories import Counter, Mended, WithoutAdd, add, minimal, regression


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    """The file of a machine's test."""
    path = tmp_path / "test_counter.py"
    path.write_text("class Counter(ChaosMachine): ...\n", encoding="utf-8")
    return path


def put(test_file: Path, program: Program, **changes: Any) -> Path:
    """Keep a story beside it."""
    folder = Folder(test_file.parent / "regressions")
    with folder.locked():
        return folder.write(regression(program, **changes))


def kept_in(test_file: Path) -> list[str]:
    """The names in the folder beside it."""
    return sorted(path.name for path in Folder(test_file.parent / "regressions").files())


# ------------------------------------------------------------------ after a search


def test_a_story_is_kept_with_all_that_tells_it(test_file: Path) -> None:
    """One file says which law broke, how, and where it belongs."""
    report = FolderKeeper(Counter, test_file).keep(Counter, minimal(Counter, add(9)))

    [name] = kept_in(test_file)
    kept = read_regression(test_file.parent / "regressions" / name)
    assert ("Counter", "test_counter.py", "virtual") == (kept.chaos_key, kept.file, kept.world)
    assert ("stays_small", "AssertionError") == (kept.law.name, kept.law.exception)
    assert "state.add(by=9)" in kept.story
    assert {"chaoscheck", "python", "trio", "hypothesis"} == set(kept.versions)
    assert f"regressions/{name}" in report[0]
    assert "chaoscheck replay" in report[0]


def test_a_bug_that_is_found_again_leaves_one_file_with_its_shortest_story(
    test_file: Path,
) -> None:
    """Workers that find one bug at once do not pile up files."""
    keeper = FolderKeeper(Counter, test_file)
    for program in (add(1, 9), add(9), add(2, 9), add(9)):
        keeper.keep(Counter, minimal(Counter, program))

    assert [regression(add(9)).name] == kept_in(test_file)


def test_a_bug_that_comes_to_light_in_several_steps_is_one(test_file: Path) -> None:
    """The line that raises tells bugs apart, and not the step in which it was met."""
    law = Law(name="double", exception="AssertionError", message="")
    put(test_file, add(8, 9), law=law)

    FolderKeeper(Counter, test_file).keep(Counter, minimal(Counter, add(9)))

    assert [regression(add(9)).name] == kept_in(test_file)


def test_another_bug_is_kept_beside_the_first(test_file: Path) -> None:
    """No story takes the place of one that breaks something else."""
    keeper = FolderKeeper(Counter, test_file)
    keeper.keep(Counter, minimal(Counter, add(9)))
    keeper.keep(Counter, minimal(Counter, add(-1)))

    assert 2 == len(kept_in(test_file))


def test_a_mended_bug_stays_when_the_same_law_breaks_otherwise(test_file: Path) -> None:
    """A longer story that passes is a regression test, and is never replaced."""

    class Halfway(Counter):
        chaos_key = "Counter"

        @rule()
        def double(self) -> None:
            self.total = 99

    mended = put(test_file, add(1, 1))  # it passes today
    found = Program(steps=(Step(number=1, rule="double", arguments={}),))

    FolderKeeper(Halfway, test_file).keep(Halfway, minimal(Halfway, found))

    assert 2 == len(kept_in(test_file))
    assert mended.name in kept_in(test_file)


def test_what_a_narrowed_machine_found_is_kept_for_the_whole_one(test_file: Path) -> None:
    """A search for the faults that were missed finds stories of the machine itself."""
    narrowed: Any = new_class("Counter", (Counter,))

    FolderKeeper(Counter, test_file).keep(narrowed, minimal(narrowed, add(9)))

    assert [regression(add(9)).name] == kept_in(test_file)


def test_with_saving_off_nothing_is_written(test_file: Path) -> None:
    """--chaos-no-save leaves my tree as it is."""
    assert [] == FolderKeeper(Counter, test_file, saving=False).keep(
        Counter, minimal(Counter, add(9))
    )
    assert [] == kept_in(test_file)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing_is_said_and_hides_no_failure(
    test_file: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """The report says why the story could not be kept."""

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", refuse)

    [line] = FolderKeeper(Counter, test_file).keep(Counter, minimal(Counter, add(9)))

    assert "could not be kept" in line
    assert os.strerror(error) in line


def test_a_file_in_the_place_of_the_folder_is_said(test_file: Path) -> None:
    """Whatever stands in the way, the failure itself is what I see."""
    (test_file.parent / "regressions").touch()

    [line] = FolderKeeper(Counter, test_file).keep(Counter, minimal(Counter, add(9)))

    assert "could not be kept" in line


def test_a_story_that_only_a_narrowed_machine_shows_is_not_kept(test_file: Path) -> None:
    """A file that would pass at once is no regression, and the report says so."""
    [line] = FolderKeeper(Mended, test_file).keep(Counter, minimal(Counter, add(9)))

    assert "it does not fail on the machine" in line
    assert [] == kept_in(test_file)


# ------------------------------------------------------------------ before a search


def test_a_kept_story_that_fails_is_raised_before_any_search(test_file: Path) -> None:
    """The next run begins with what broke, tells it, and names its file."""
    path = put(test_file, add(9))

    with pytest.raises(AssertionError) as failed, keeping(Counter, test_file, saving=True):
        run_machine(Counter, settings(max_examples=1, database=None))

    assert "state.add(by=9)" in failed.value.__notes__
    assert any(path.name in note for note in failed.value.__notes__)


def test_two_bugs_that_are_kept_are_both_raised(test_file: Path) -> None:
    """One run tells all that is broken, and each bug once."""
    for program in (add(9), add(8, 9), add(-1)):
        put(test_file, program)

    with pytest.raises(ExceptionGroup) as failed:
        FolderKeeper(Counter, test_file).replay_first(Counter)

    kinds = sorted(type(error).__name__ for error in failed.value.exceptions)
    assert ["AssertionError", "ValueError"] == kinds


def test_a_kept_bug_that_another_shard_has_met_in_this_run_is_left_to_it(
    test_file: Path, tmp_path: Path
) -> None:
    """A shard that found and kept it a moment ago tells it; this one names that shard."""
    put(test_file, add(9))
    keeper = FolderKeeper(Counter, test_file)
    met = tried(Counter, regression(add(9))).run.origin
    assert met is not None
    Claims(tmp_path / "claims", "other[3/4]").claim(met)

    with claiming(tmp_path / "claims") as claims:
        keeper.replay_first(Counter)

        assert {met: "other[3/4]"} == claims.elsewhere

    put(test_file, add(-1))
    with claiming(tmp_path / "claims"), pytest.raises(ValueError) as failed:  # noqa: PT011
        keeper.replay_first(Counter)

    assert "This shard met another bug as well." in failed.value.__notes__[-1]
    assert "the story is told by other[3/4]" in failed.value.__notes__[-1]


def test_a_story_that_passes_says_nothing(test_file: Path) -> None:
    """A mended bug is no news; its story stays, and counts for no fault of the search."""
    path = put(test_file, add(9))
    keeper = FolderKeeper(Mended, test_file)

    keeper.replay_first(Mended)

    assert ([], 0) == (keeper.notices, Mended._tally.examples)
    assert path.exists()


def test_a_stale_story_fails_nothing_and_is_named_with_its_reason(test_file: Path) -> None:
    """Nothing is dropped in silence."""
    path = put(test_file, add(9))

    with keeping(WithoutAdd, test_file, saving=True) as keeper:
        run_machine(WithoutAdd, settings(max_examples=2, database=None))

    [notice] = keeper.notices
    assert path.name in notice
    assert "stale: step 1: there is no rule 'add' now" in notice


def test_a_broken_file_fails_its_machine_after_all_else_has_run(test_file: Path) -> None:
    """A story that cannot be read is not replayed, so the run must not be green."""
    path = put(test_file, add(9))
    path.write_bytes(path.read_bytes()[:50])

    with (
        pytest.raises(PlanError, match=path.name),
        keeping(WithoutAdd, test_file, saving=True) as keeper,
    ):
        run_machine(WithoutAdd, settings(max_examples=2, database=None))

    assert WithoutAdd._tally.examples
    assert any("is broken" in notice for notice in keeper.notices)


def test_a_broken_file_of_another_machine_is_only_named(test_file: Path) -> None:
    """Each machine answers for its own files."""
    put(test_file, add(9)).rename(test_file.parent / "regressions" / "Other-0123456789.json")
    (test_file.parent / "regressions" / "Other-0123456789.json").write_text("", encoding="ascii")

    with keeping(Mended, test_file, saving=True) as keeper:
        FolderKeeper.replay_first(keeper, Mended)

    assert ["is broken" in notice for notice in keeper.notices] == [True]


def test_a_story_of_an_unknown_world_is_a_broken_file(test_file: Path) -> None:
    """A world that this version does not have is named, and the others still run."""
    put(test_file, add(9), world="lunar")
    keeper = FolderKeeper(Mended, test_file)

    keeper.replay_first(Mended)

    assert "unknown world 'lunar'" in keeper.broken[0].reason


def test_of_two_machines_with_one_key_a_story_belongs_to_the_one_in_its_file(
    test_file: Path,
) -> None:
    """Two test files may each have a class of the same name."""
    put(test_file, add(9))
    other = test_file.with_name("test_other.py")

    FolderKeeper(Counter, other).replay_first(Counter)  # it is not the other's

    test_file.unlink()  # renamed to the other: now it is
    with pytest.raises(AssertionError):
        FolderKeeper(Counter, other).replay_first(Counter)


# ------------------------------------------------------------------ keys


def test_a_key_is_the_class_unless_it_has_one_of_its_own() -> None:
    """A derived machine does not answer for the stories of its base."""

    class Derived(Mended):
        pass

    assert ("Counter", "Counter") == (chaos_key_of(Counter), chaos_key_of(Mended))
    assert "<locals>.Derived[" in chaos_key_of(Derived)


def edition(most: int) -> Any:
    """One of several editions of a machine: the same key, another source."""

    class Edited(ChaosMachine):
        chaos_key = "Edited"

        @rule(by=st.integers(0, most))
        def add(self, by: int) -> None:
            assert by < 5

    return Edited


def test_hypothesis_remembers_a_failure_also_after_an_edit_and_under_a_seed() -> None:
    """The example database is a cache under the key (two short searches, up to 0.5 s)."""
    database = InMemoryExampleDatabase()
    quick = settings(max_examples=50, database=database, stateful_step_count=5)
    with pytest.raises(AssertionError):
        run_machine(edition(20), quick)

    edited = edition(30)
    edited._hypothesis_internal_use_seed = 7
    with pytest.raises(AssertionError):
        run_machine(edited, settings(quick, phases=[p for p in quick.phases if p.name == "reuse"]))


def test_an_argument_that_cannot_be_made_again_is_a_reason(test_file: Path) -> None:
    """Choices of a strategy that has changed make the story stale, not the run broken."""
    steps = (Step(number=1, rule="add", arguments={"by": Drawn((), "a lost value")}),)
    put(test_file, Program(steps=steps))
    keeper = FolderKeeper(Mended, test_file)

    keeper.replay_first(Mended)

    assert "a lost value cannot be made again" in keeper.notices[0]


def test_two_modules_with_one_class_name_and_one_story_keep_a_file_each(tmp_path: Path) -> None:
    """The second is not taken for the first."""
    program = add(9)
    for name in ("test_one.py", "test_two.py"):
        test_file = tmp_path / name
        test_file.write_text("class Counter:\n    pass\n", encoding="utf-8")
        FolderKeeper(Counter, test_file).keep(Counter, minimal(Counter, program))

    kept, broken = FolderKeeper(Counter, tmp_path / "test_one.py").folder.read()

    assert ["test_one.py", "test_two.py"] == sorted(each.regression.file for each in kept)
    assert [] == broken
