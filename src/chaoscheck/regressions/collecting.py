"""Finding the machines to which kept stories belong: pytest collects them, as for a test run."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.regressions.folder import Kept
from chaoscheck.regressions.regression import Regression
from chaoscheck.stateful.machine_key import chaos_key_of, keys_of, named_test

# Theory of operation. How a test module is imported is pytest's affair: rootdir, pythonpath,
# conftest files, import mode, assertion rewriting. So pytest itself collects, and what is to be
# done with the machines is done in the place of its tests, while all of that is still set up.
#
# A test file may have been renamed, so it is looked for by what it says: of the modules that
# pytest would collect beside the folder, only those are imported that name the story's key or
# class. What a regression file says never names a file to import.

__all__ = ["Collected", "with_machines"]


@dataclass(frozen=True, slots=True)
class Collected:
    """The machines that were collected, with their test files, and what could not be imported."""

    machines: list[tuple[Path, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def machine_of(self, regression: Regression, beside: Path) -> Any:
        """The machine in folder ``beside`` that has the story's key; None if there is none.

        Of several, the one in the file that the story names, and with that very key.
        """
        found = [
            (path.name == regression.file, chaos_key_of(machine) == regression.chaos_key, machine)
            for path, machine in self.machines
            if path.parent == beside and regression.chaos_key in keys_of(machine)
        ]
        return max(found, key=lambda each: each[:2], default=(False, False, None))[2]


def with_machines(stories: Mapping[Path, list[Kept]], work: Callable[[Collected], None]) -> None:
    """Call ``work`` with the machines of these stories, given by their tests' (resolved) folder.

    Nothing is printed. PlanError when pytest refuses to start, with what it says.
    """
    collector = _Collector({folder: _mentions(kept) for folder, kept in stories.items()})
    # We are imported by now, so our own asserts stay as they are; theirs are rewritten.
    unrewritten = "ignore::pytest.PytestAssertRewriteWarning"
    arguments = [*map(str, collector.wanted), "-s", "-W", unrewritten]
    printed = io.StringIO()
    arguments.append("--continue-on-collection-errors")
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            pytest.main(arguments, plugins=[_Work(collector, work)])
        except (Exception, SystemExit) as error:
            # What a project's conftest files and options may raise while pytest starts or ends.
            printed.write(f" {type(error).__name__}: {error}")
    if collector.error is not None:
        raise collector.error
    if not collector.worked:
        said = " ".join(printed.getvalue().split())[-500:]
        raise PlanError(f"pytest cannot collect {', '.join(map(str, stories))}: {said}")


def _mentions(kept: Iterable[Kept]) -> frozenset[str]:
    """What a module that defines or uses one of the machines says somewhere."""
    regressions = [each.regression for each in kept]
    classes = {regression.machine.rpartition(".")[2] for regression in regressions}
    keys = {regression.chaos_key for regression in regressions}
    # Of a machine that a factory makes, the module need not say more than its test's name.
    tests = {named_test(key) for key in keys} - {""}
    return frozenset(classes | keys | tests)


class _Collector:
    """What is looked for, by folder, and what came of it."""

    def __init__(self, wanted: Mapping[Path, frozenset[str]]) -> None:
        self.wanted = wanted
        self.collected = Collected()
        self.worked = False
        self.error: BaseException | None = None

    def passes_by(self, path: Path) -> bool:
        """Whether a path beside the stories has no part in them."""
        said = self.wanted.get(path.parent)
        if said is None or path in self.wanted or any(path in each.parents for each in self.wanted):
            return False
        if path.is_dir():
            return True
        if path.suffix != ".py" or path.name in {"conftest.py", "__init__.py"}:
            return False
        text = path.read_text(encoding="utf-8", errors="replace")
        return not any(name in text for name in said)


class _Work:
    """A pytest plugin that takes the place of the tests."""

    def __init__(self, collector: _Collector, work: Callable[[Collected], None]) -> None:
        self._collector = collector
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Undo what a project's own addopts may say: no workers, and no selection by failures."""
        for option, plain in (("numprocesses", None), ("dist", "no"), ("tx", []), ("lf", False)):
            if hasattr(config.option, option):
                setattr(config.option, option, plain)

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Import no module that has no part in these stories."""
        return True if self._collector.passes_by(collection_path) else None

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Take the machines, also where -m or -k of the configuration would deselect them."""
        machine = getattr(getattr(item, "obj", None), "_hypothesis_state_machine_class", None)
        if machine is not None and hasattr(machine, "chaos_key"):
            self._collector.collected.machines.append((item.path, machine))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported is named, with the last line of why."""
        if report.failed:
            last = [line for line in str(report.longrepr).splitlines() if line.strip()][-1:]
            self._collector.collected.failures.append(
                f"{report.nodeid}: {''.join(last).removeprefix('E').strip()}"
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool:
        """Do the work, and run no test."""
        self._collector.worked = True
        try:
            self._work(self._collector.collected)
        except BaseException as error:
            self._collector.error = error
        return True
