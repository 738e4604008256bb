"""``--chaos-statistics`` and ``--chaos-report DIR``: what the machines of a run counted.

Workers of pytest-xdist send their numbers with their reports; here those of one machine's shards
are added up, printed at the end, and written as one JSON file a machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaoscheck.pytest_untested import UntestedMachines

if TYPE_CHECKING:
    from chaoscheck.history.run_statistics import RunStatistics

__all__ = ["StatisticsOfRun", "add_options", "attach", "collect", "counting"]

# An attribute of a test's report; reports travel from workers with all that JSON can hold.
_ON_REPORT = "chaos_statistics"
_ON_ITEM = pytest.StashKey[list[dict[str, Any]]]()
_SHARD = re.compile(r"\[\d+/\d+\]$")


def add_options(group: pytest.OptionGroup) -> None:
    """The two options."""
    group.addoption(
        "--chaos-statistics",
        action="store_true",
        default=False,
        help="after the run print for each machine how often each rule ran, each law was checked, "
        "judged and skipped, and each fault was injected, had an effect and was judged",
    )
    group.addoption(
        "--chaos-report",
        metavar="DIR",
        default=None,
        help="write the same into this folder, as one JSON file for each machine",
    )


def collect(config: pytest.Config) -> None:
    """Add up the numbers of this run if an option asks for them; a worker only sends its own."""
    is_worker = hasattr(config, "workerinput")
    asked = config.getoption("--chaos-statistics") or config.getoption("--chaos-report")
    untested = UntestedMachines(config) if config.getoption("--chaos-statistics") else None
    if untested is not None:
        config.pluginmanager.register(untested, "chaoscheck-untested")
    if asked and not is_worker:
        statistics = StatisticsOfRun(config, untested)
        config.pluginmanager.register(statistics, "chaoscheck-statistics")


@contextmanager
def counting(item: pytest.Item) -> Iterator[None]:
    """Keep what machines count meanwhile, for the report of ``item``."""
    from chaoscheck.report.statistics_document import to_document
    from chaoscheck.stateful.running import hear_statistics

    documents: list[dict[str, Any]] = []
    item.stash[_ON_ITEM] = documents

    def keep(statistics: RunStatistics) -> None:
        test = _SHARD.sub("", item.nodeid)
        documents.append(to_document(replace(statistics, test=test)))

    hear_statistics(keep)
    try:
        yield
    finally:
        hear_statistics(None)


def attach(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put what the item's machines counted on its report, with how the test came out."""
    documents = item.stash.get(_ON_ITEM, [])
    if documents:
        for document in documents:
            document["outcome"] = report.outcome
        setattr(report, _ON_REPORT, documents)


class StatisticsOfRun:
    """Adds up the statistics of each machine's shards, prints and writes them."""

    def __init__(self, config: pytest.Config, untested: UntestedMachines | None) -> None:
        self._untested = untested
        self._print: bool = config.getoption("--chaos-statistics")
        folder = config.getoption("--chaos-report")
        self._folder = None if folder is None else Path(folder)
        self._sums: dict[tuple[str, str], RunStatistics] = {}
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise pytest.UsageError(
                    f"--chaos-report: {self._folder}: {error.strerror or error}"
                ) from None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what came with the report of a test."""
        from chaoscheck.report.statistics_document import from_document

        for document in getattr(report, _ON_REPORT, ()):
            statistics = from_document(document)
            key = (statistics.test, statistics.machine)
            known = self._sums.get(key)
            self._sums[key] = statistics if known is None else known.plus(statistics)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables, where asked to, and write the files."""
        from chaoscheck.report.statistics_table import statistics_lines

        terminal = terminalreporter
        sums = [self._sums[key] for key in sorted(self._sums)]
        untested = [] if self._untested is None else self._untested.lines(self._ran())
        if self._print and (sums or untested):
            terminal.write_sep("=", "chaos statistics")
            for each in sums:
                for line in statistics_lines(each):
                    terminal.write_line(line)
                terminal.write_line("")
            for line in untested:
                terminal.write_line(line)
        if self._folder is not None:
            for name, each in zip(_file_names(sums), sums, strict=True):
                self._write(self._folder / name, each)
            terminal.write_line(f"chaos report: {len(sums)} machines in {self._folder}")

    def _ran(self) -> set[tuple[str, str]]:
        """The file and the class of each machine that ran, whatever test ran it."""
        return {(test.partition("::")[0], machine) for test, machine in self._sums}

    def _write(self, path: Path, statistics: RunStatistics) -> None:
        from chaoscheck.report.statistics_document import to_document

        text = json.dumps(to_document(statistics), indent=2, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")


def _file_names(sums: list[RunStatistics]) -> Iterator[str]:
    """A name for each, made of its node ID; told apart by a number where two come to the same."""
    taken: dict[str, int] = {}
    for each in sums:
        node = each.test.removesuffix("::runTest")
        stem = re.sub(r"[^\w.]+", "-", node).strip("-") or "machine"
        taken[stem] = count = taken.get(stem, 0) + 1
        yield f"{stem}.json" if count == 1 else f"{stem}-{count}.json"
