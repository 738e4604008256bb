"""The keeper: replays the kept stories of a machine before a search, keeps a new one after it."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.regressions.folder import NAME, Broken, Folder, Kept, shown_path
from chaoscheck.regressions.law import broken_law, neutral
from chaoscheck.regressions.regression import Regression, stem_of
from chaoscheck.regressions.trial import Trial, tried, world_name
from chaoscheck.stateful.claims import current_claims
from chaoscheck.stateful.failures import Origin
from chaoscheck.stateful.machine_key import chaos_key_of, keys_of, named_test
from chaoscheck.stateful.programs.minimal import Minimal
from chaoscheck.stateful.programs.replaying import Replay
from chaoscheck.stateful.running import report_of, use_keeper

# Theory of operation. A story belongs to the machine with its key. Where two machines beside one
# folder have the same key, it belongs to the one in the file that it names.
#
# A new story is kept beside those that are there. Only a story that breaks today, at the very
# line where the new one does, is the same bug (two workers found it): the shorter stays. A story
# that passes is a bug that was mended, and stays for ever, whatever law breaks later.
#
# A story is kept only if it fails again when it is read back from its own text. What cannot be
# kept is said in the report, and never takes the place of the failure itself.

__all__ = ["FolderKeeper", "keeping"]


class FolderKeeper:
    """Keeps the stories of one machine in the folder beside its test file.

    ``notices`` are lines for the end of the whole run: stories that are stale, files that are
    broken. ``broken`` are the broken files that bear this machine's name.
    """

    def __init__(self, machine: Any, test_file: Path, *, saving: bool = True) -> None:
        self._machine = machine
        self._test_file = test_file
        self._saving = saving
        self._key, self._keys = chaos_key_of(machine), keys_of(machine)
        self.folder = Folder(test_file.parent / NAME)
        self.notices: list[str] = []
        self.broken: list[Broken] = []

    # ------------------------------------------------------------------ before a search

    def replay_first(self, machine: Any) -> None:
        """Raise what kept stories of this machine still raise: one error a bug, each told.

        A bug that another shard tells is left to it, and the search goes on past it.
        """
        __tracebackhide__ = True
        failing: dict[Origin | None, list[tuple[Kept, Trial]]] = {}
        for kept in self._own():
            try:
                trial = tried(self._machine, kept.regression)
            except PlanError as error:
                self._note_broken(Broken(path=kept.path, reason=str(error)))
                continue
            if trial.status == "fails":
                failing.setdefault(trial.run.origin, []).append((kept, trial))
            elif trial.status == "stale" and trial.run.skip is None:  # a skip speaks for itself
                what = "; ".join(trial.reasons)
                self.notices.append(f"{shown_path(kept.path)} is stale: {what}")
        self._machine._tally.reset()  # what the search itself meets is what counts
        claims = current_claims()
        # What another shard of this run has met and claimed already is its story to tell.
        errors = [
            self._told(bug)
            for origin, bug in failing.items()
            if origin is None or claims.claim(origin)
        ]
        if not errors:
            return
        failure = errors[0]
        if len(errors) > 1:
            told = f"{len(errors)} kept stories of {self._key} fail"
            failure = BaseExceptionGroup(told, errors)
        claims.note_on(failure)
        raise failure

    def _own(self) -> list[Kept]:
        """The readable stories of this machine; broken files are noted."""
        try:
            kept, broken = self.folder.read()
        except OSError as error:
            self.notices.append(f"{shown_path(self.folder.path)}: {error.strerror or error}")
            return []
        for each in broken:
            self._note_broken(each)
        return [each for each in kept if self._is_own(each.regression)]

    def _note_broken(self, file: Broken) -> None:
        self.notices.append(f"{shown_path(file.path)} is broken: {file.reason}")
        if file.path.name.rpartition("-")[0] in map(stem_of, self._keys):
            self.broken.append(file)

    def _is_own(self, regression: Regression) -> bool:
        if regression.chaos_key not in self._keys:
            return False
        if regression.file == self._test_file.name:
            return True
        return not _defines(self._test_file.with_name(regression.file), regression)

    def _told(self, bug: list[tuple[Kept, Trial]]) -> BaseException:
        """The error of a bug with the shortest of its stories, told; the other files by name."""
        kept, trial = min(bug, key=lambda each: each[0].regression.size)
        told = tried(self._machine, kept.regression, aloud=True)
        run = told.run if told.run.error is not None else trial.run
        assert run.error is not None
        for line in report_of(run):
            run.error.add_note(line)
        others = [shown_path(other.path) for other, _ in bug if other is not kept]
        if others:
            run.error.add_note(f"The same bug breaks {', '.join(others)}.")
        run.error.add_note(f"This story was kept. {_replay_line(kept.path)}")
        return run.error

    # ------------------------------------------------------------------ after a search

    def keep(self, machine: Any, minimal: Minimal) -> list[str]:
        """Keep the shortest story of a bug; lines for the report, which say so, or why not."""
        if not self._saving:
            return []
        where = shown_path(self.folder.path)
        try:
            path = self._keep(minimal)
        except OSError as error:
            return [f"This story could not be kept in {where}: {error.strerror or error}."]
        except Exception as error:  # whatever it is, the failure itself is what the user came for
            return [f"This story could not be kept in {where}: {error}."]
        return [f"This story is kept: commit {shown_path(path)}. {_replay_line(path)}"]

    def _keep(self, minimal: Minimal) -> Path:
        regression = self._regression(minimal)
        origin = minimal.replay.origin
        if tried(self._machine, regression).run.origin != origin:
            raise PlanError("it does not fail on the machine with all of its faults")
        with self.folder.locked():
            same = [kept for kept in self._own() if self._is_same(kept.regression, regression)]
            same = [kept for kept in same if self._origin(kept) == origin]
            shortest = min(same, key=lambda kept: kept.regression.size, default=None)
            if shortest is not None and shortest.regression.size <= regression.size:
                return shortest.path
            path = self.folder.write(regression)
            for kept in same:
                kept.path.unlink(missing_ok=True)
        return path

    def _is_same(self, one: Regression, other: Regression) -> bool:
        """Whether they may be of one bug, before either is replayed.

        Not by the law's name: a failure of the background comes to light in whatever rule runs.
        """
        kinds = ((each.law.exception, each.world) for each in (one, other))
        return next(kinds) == next(kinds)

    def _origin(self, kept: Kept) -> Origin | None:
        return tried(self._machine, kept.regression).run.origin

    def _regression(self, minimal: Minimal) -> Regression:
        run: Replay = minimal.replay
        assert run.error is not None
        return Regression(
            chaos_key=self._key,
            file=self._test_file.name,
            machine=self._machine.__qualname__,
            world=world_name(),
            law=broken_law(self._machine, run.error),
            story=tuple(neutral(line) for lines in run.lines for line in lines.split("\n")),
            program=minimal.program,
            digest=run.digest,
            versions=_versions(),
        )


def _defines(file: Path, regression: Regression) -> bool:
    """Whether a test file beside the folder still has the machine, or the test, of this story."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    test = named_test(regression.chaos_key)
    if test:
        return re.search(rf"\b{re.escape(test)}\b", text) is not None
    last = re.escape(regression.machine.rpartition(".")[2])
    return re.search(rf"^\s*class {last}\b", text, re.MULTILINE) is not None


def _versions() -> dict[str, str]:
    packages = ("chaoscheck", "trio", "hypothesis")
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in packages
    }


def _replay_line(path: Path) -> str:
    return f"Replay it: chaoscheck replay {shown_path(path)}"


@contextmanager
def keeping(machine: Any, test_file: Path, *, saving: bool) -> Iterator[FolderKeeper]:
    """Keep what the test of ``machine`` finds meanwhile.

    PlanError, once the test has passed, when a file that bears the machine's name is broken:
    a story that cannot be read is not replayed.
    """
    __tracebackhide__ = True
    keeper = FolderKeeper(machine, test_file, saving=saving)
    use_keeper(keeper)
    try:
        yield keeper
    finally:
        use_keeper(None)
    if keeper.broken:
        lines = "\n".join(f"{shown_path(each.path)}: {each.reason}" for each in keeper.broken)
        raise PlanError(f"regression files of {chaos_key_of(machine)} cannot be read:\n{lines}")
