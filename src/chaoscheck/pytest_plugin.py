"""The pytest plugin: options that concern chaos machines. Imports nothing heavy at start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "audit",
    "collecting_output",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--chaos-replay``, ``--chaos-world`` and ``--chaos-subject``."""
    group = parser.getgroup("chaoscheck", "chaos machines")
    group.addoption(
        "--chaos-subject",
        metavar="KIND=MODULE:FACTORY",
        action="append",
        default=[],
        help="put your own implementation under the laws of this kind; may be repeated",
    )
    group.addoption(
        "--chaos-world",
        metavar="KIND",
        default=None,
        help="where machines run: virtual (default), or loopback for real TCP in virtual time",
    )
    group.addoption(
        "--chaos-replay",
        metavar="BLOB",
        default=None,
        help="replay the failing story that a run printed; select its one test as well",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the world and the subjects that options name; a usage error when one is wrong."""
    world, subjects = config.getoption("--chaos-world"), config.getoption("--chaos-subject")
    if world is not None:
        from chaoscheck.stateful.worlds import choose_world

        _or_usage_error("--chaos-world", choose_world, world)
    if subjects:
        from chaoscheck.subjects.chosen import choose

        for subject in subjects:
            _or_usage_error("--chaos-subject", choose, subject)


def _or_usage_error(option: str, choose: Callable[[str], object], value: str) -> None:
    from chaoscheck.errors import PlanError

    try:
        choose(value)
    except PlanError as error:
        raise pytest.UsageError(f"{option}: {error}") from None


@pytest.hookimpl(trylast=True)  # after -k and -m have deselected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make the one selected machine replay the blob; a usage error when that is not possible."""
    blob = config.getoption("--chaos-replay")
    if blob is None:
        return
    from chaoscheck.errors import PlanError
    from chaoscheck.plan.program_text import from_blob, is_blob
    from chaoscheck.stateful.conjecture import reproduction

    machines = [machine for machine in map(_machine_of, items) if machine is not None]
    if len(machines) != 1:
        raise pytest.UsageError(
            f"--chaos-replay needs exactly one selected chaos machine, got {len(machines)}: "
            f"name it, as in pytest FILE::TEST --chaos-replay BLOB"
        )
    try:
        if is_blob(blob):
            machines[0]._replayed = from_blob(blob)
        else:
            machines[0]._hypothesis_internal_use_reproduce_failure = reproduction(blob)
    except PlanError as error:
        raise pytest.UsageError(f"--chaos-replay: {error}") from None


def _machine_of(item: pytest.Item) -> Any:
    return getattr(getattr(item, "obj", None), "_hypothesis_state_machine_class", None)


@pytest.fixture
def collecting_output() -> Any:
    """A CollectingOutputPort: keeps every result that a transform emits."""
    from chaoscheck.components.output_port import CollectingOutputPort

    return CollectingOutputPort()


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Any]:
    """A fresh audit with a run in it: (recorder, run id, node id). Closed after the test."""
    from chaoscheck.components.audited_run import create_recorder_and_run

    recorder, run_id, node_id = create_recorder_and_run(tmp_path, "pytest")
    yield recorder, run_id, node_id
    recorder.close()
