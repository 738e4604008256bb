"""Machines of the collected files that no test runs: told with ``--chaos-statistics``.

Who forgets ``TestOrders = Orders.TestCase`` gets a green run without a word. It may be meant (a
base, a machine that a test runs by itself), so it is told and fails nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

__all__ = ["UntestedMachines"]

# Under xdist only workers import the files; each collects all of them.
_FROM_WORKER = "chaoscheck_untested"

#: A machine, as (file, qualified name of its class).
Machine = tuple[str, str]


class UntestedMachines:
    """Notes the machines of each file that is collected, and those that have a test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._defined: dict[Machine, type[Any]] = {}
        self._tested: set[type[Any]] = set()
        self._from_workers: set[Machine] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Note what a file defines."""
        report = yield
        if isinstance(collector, pytest.Module) and report.passed:
            file = _shown(collector.path, self._config.rootpath)
            self._defined |= {(file, each.__qualname__): each for each in _machines(collector.obj)}
        return report

    @pytest.hookimpl(tryfirst=True)  # before any is deselected
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note which have a test, whether it is selected or not."""
        for item in items:
            machine = getattr(getattr(item, "obj", None), "_hypothesis_state_machine_class", None)
            if machine is not None:
                self._tested.update(machine.__mro__)

    def pytest_sessionfinish(self) -> None:
        """A worker sends what it noted."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_FROM_WORKER] = sorted(self._without_test())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """The controller hears of it."""
        sent = getattr(node, "workeroutput", {}).get(_FROM_WORKER, ())
        self._from_workers.update((file, name) for file, name in sent)

    def lines(self, ran: set[Machine]) -> list[str]:
        """A line for each machine without a test of its own that is not among those that ran."""
        return [
            f"! {file}::{name}: no test runs it (Test{name} = {name}.TestCase)"
            for file, name in sorted(self._from_workers | self._without_test())
            if (file, name) not in ran
        ]

    def _without_test(self) -> set[Machine]:
        return {key for key, each in self._defined.items() if each not in self._tested}


def _machines(module: ModuleType) -> list[type[Any]]:
    from chaoscheck.stateful.machine import ChaosMachine

    return [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, ChaosMachine)
        and each.__module__ == module.__name__
    ]


def _shown(path: Path, root: Path) -> str:
    """The file as node IDs name it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
