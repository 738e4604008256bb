"""The pytest plugin: options that concern chaos machines. Imports nothing heavy at start."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaoscheck import pytest_mistakes, pytest_schedules, pytest_statistics
from chaoscheck.pytest_progress import progress_line

if TYPE_CHECKING:
    from chaoscheck.regressions.regression import Regression
    from chaoscheck.server.threaded import ThreadedServer

__all__ = [
    "audit",
    "chaos_server",
    "chaos_server_env",
    "chaos_server_session",
    "collecting_output",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_make_collect_report",
    "pytest_pycollect_makeitem",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
]

# Under this name a test's report carries what the end of the run says about kept stories; user
# properties travel from the workers of pytest-xdist to where that is printed.
_NOTICE = "chaoscheck regression"

# More shards than any machine has cores are a slip of the keyboard.
_SHARDS_MAX = 1_000
_EXPLORE_MAX_S = 86_400


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--chaos-replay``, ``--chaos-no-save``, ``--chaos-world`` and ``--chaos-subject``."""
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
    pytest_schedules.add_option(group)
    group.addoption(
        "--chaos-shards",
        metavar="N",
        type=_shard_count,
        default=None,
        help="collect each machine's test as N items that share its examples; by default as many "
        "as pytest-xdist has workers, at most 8, each with at least 25 examples",
    )
    group.addoption(
        "--chaos-replay",
        metavar="FILE|BLOB",
        default=None,
        help="replay a kept story, or the one that a run printed; for the latter select its test",
    )
    group.addoption(
        "--chaos-explore",
        metavar="SECONDS",
        type=_explore_seconds,
        default=None,
        help="let the explorer search each machine for so many CPU seconds before Hypothesis "
        "begins; by default 2 under the profile nightly, else a short slice where operations are "
        "in flight",
    )
    pytest_statistics.add_options(group)
    group.addoption(
        "--chaos-no-save",
        action="store_true",
        default=False,
        help="write no regression files; those that are there are replayed all the same",
    )


def _shard_count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= _SHARDS_MAX):
        raise ArgumentTypeError(f"must be in [1, {_SHARDS_MAX}], got {text!r}")
    return int(text)


def _explore_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _EXPLORE_MAX_S:
        raise ArgumentTypeError(f"must be in [0, {_EXPLORE_MAX_S}], got {text!r}")
    return seconds


@pytest.hookimpl(tryfirst=True)  # before Hypothesis loads the profile that is asked for
def pytest_configure(config: pytest.Config) -> None:
    """Choose the world and the subjects that options name; a usage error when one is wrong."""
    pytest_statistics.collect(config)
    for marker in pytest_mistakes.MARKERS:
        config.addinivalue_line(
            "markers",
            f"{marker}(preset=, plan=, seed=, rates=, ..., FAULT=RATE): what goes wrong in the "
            "chaos_server of this test; docs/server.md lists the keywords",
        )
    profile = config.getoption("--hypothesis-profile", None)
    if profile is not None:
        from chaoscheck.profiles import register_if_missing

        register_if_missing(profile)
    world, subjects = config.getoption("--chaos-world"), config.getoption("--chaos-subject")
    if world is not None:
        from chaoscheck.stateful.worlds import choose_world

        _or_usage_error("--chaos-world", choose_world, world)
    pytest_schedules.require(config)
    if subjects:
        from chaoscheck.subjects.chosen import choose

        _show_warnings(config)
        for subject in subjects:
            _or_usage_error("--chaos-subject", choose, subject)


def _show_warnings(config: pytest.Config) -> None:
    """Warnings of a subject, or of what it stands on, are shown and break no law.

    That warnings are errors is a rule for our own code; the filters that name more stay.
    """
    filters = config.getini("filterwarnings")
    filters[:] = ["default" if line.strip() == "error" else line for line in filters]


def _or_usage_error(option: str, choose: Callable[[str], object], value: str) -> None:
    from chaoscheck.errors import PlanError

    try:
        choose(value)
    except PlanError as error:
        raise pytest.UsageError(f"{option}: {error}") from None


def pytest_pycollect_makeitem(collector: Any, name: str, obj: Any) -> None:
    """A machine that pytest would pass over is an error of its module."""
    pytest_mistakes.refuse_machine(collector, name, obj)


@pytest.hookimpl(wrapper=True)  # before and after -k and -m have deselected
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Make one machine replay a file or a blob; a usage error when that is not possible."""
    pytest_mistakes.find_markers_without_effect(config, items)
    yield
    given = config.getoption("--chaos-replay")
    if given is not None:
        _replay(given, config, items)


def _replay(given: str, config: pytest.Config, items: list[pytest.Item]) -> None:
    from chaoscheck.errors import PlanError

    try:
        if given.endswith(".json"):
            _replay_file(Path(given), config, items)
        else:
            _replay_blob(given, items)
    except PlanError as error:
        raise pytest.UsageError(f"--chaos-replay: {error}") from None


def _replay_blob(blob: str, items: list[pytest.Item]) -> None:
    from chaoscheck.stateful.given_replay import set_replay

    machines = [machine for machine in map(_machine_of, items) if machine is not None]
    if len(machines) != 1:
        raise pytest.UsageError(
            f"--chaos-replay needs exactly one selected chaos machine, got {len(machines)}: "
            f"name it, as in pytest FILE::TEST --chaos-replay BLOB"
        )
    set_replay(machines[0], blob)


def _replay_file(path: Path, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect everything but the machine to which the story belongs, and let it replay that."""
    from chaoscheck.regressions.folder import read_regression
    from chaoscheck.stateful.worlds import choose_world

    regression = read_regression(path)
    chosen = _item_of(regression, items)
    if chosen is None:
        raise pytest.UsageError(
            f"--chaos-replay: no selected machine has the chaos_key {regression.chaos_key!r}"
        )
    if config.getoption("--chaos-world") is None:
        choose_world(regression.world)
    _machine_of(chosen)._replayed = regression.program
    others = [item for item in items if item is not chosen]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [chosen]


def _item_of(regression: Regression, items: list[pytest.Item]) -> pytest.Item | None:
    """The item whose machine has the story's key; by its file where several have, else the
    only machine that was selected: it may have been renamed.
    """
    from chaoscheck.stateful.machine_key import chaos_key_of, keys_of

    all_of_them = [item for item in items if _machine_of(item) is not None]
    same = [i for i in all_of_them if regression.chaos_key in keys_of(_machine_of(i))]
    same.sort(key=lambda item: chaos_key_of(_machine_of(item)) != regression.chaos_key)
    there = [item for item in same if item.path.name == regression.file]
    only = all_of_them if len(all_of_them) == 1 else []
    return next(iter(there or same or only), None)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Collect the test of a machine as several items, where there are workers for them."""
    report = yield
    if isinstance(collector, pytest.Class) and report.passed:
        run = getattr(collector.obj, "runTest", None)
        if hasattr(run, "_hypothesis_state_machine_class"):
            from chaoscheck.sharding import split

            report.result = split(collector, report.result)
    return report


@pytest.hookimpl(tryfirst=True)  # before the test's fixtures
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The session's chaos server is as new for each test that names it."""
    if "chaos_server_session" in getattr(item, "fixturenames", ()):
        from chaoscheck.pytest_server import prepare_session_server

        prepare_session_server(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Replay what was kept of a machine first, and keep what its test finds."""
    __tracebackhide__ = True
    machine = _machine_of(item)
    if machine is None:
        result = yield
        _require_that_its_marker_means_something(item)
        return result
    _require_that_its_marker_means_something(item)
    from chaoscheck.profiles import seconds_to_explore
    from chaoscheck.regressions.keeper import keeping
    from chaoscheck.sharding import claims_folder, shard_of
    from chaoscheck.stateful.claims import claiming
    from chaoscheck.stateful.exploring.exploring import exploring_for
    from chaoscheck.stateful.running import show_progress
    from chaoscheck.stateful.shard import sharing

    saving = not item.config.getoption("--chaos-no-save")
    asked_s = item.config.getoption("--chaos-explore")
    exploring = exploring_for(seconds_to_explore() if asked_s is None else asked_s)
    kept = keeping(machine, item.path, saving=saving)
    show_progress(progress_line(item.config))
    counting, shard = pytest_statistics.counting(item), shard_of(item)
    claims = claiming(claims_folder(item, shard))
    schedules = pytest_schedules.searching(item.config)
    with sharing(shard), claims, exploring, schedules, counting, kept as keeper:
        try:
            return (yield)
        finally:
            item.user_properties += [(_NOTICE, notice) for notice in keeper.notices]


def _require_that_its_marker_means_something(item: pytest.Item) -> None:
    """Fail a test whose marker ``chaos`` is for a chaos_server that is never asked for."""
    __tracebackhide__ = True
    error = pytest_mistakes.marker_error(item, _asked_for(item))
    if error is not None:
        pytest.fail(error, pytrace=False)


def _asked_for(item: pytest.Item) -> tuple[str, ...]:
    """The chaos servers that a test got by ``request.getfixturevalue``."""
    from chaoscheck.pytest_server import ASKED

    return item.stash.get(ASKED, ())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what machines counted; a property that failed says how to repeat its search."""
    report = yield
    if call.when == "call":
        pytest_statistics.attach(item, report)
    if call.when != "call" or not report.failed:
        return report
    machine = _machine_of(item)
    if machine is not None and call.excinfo is not None:
        from chaoscheck.regressions.summary import name_the_law

        name_the_law(report, machine, call.excinfo.value)
    test = getattr(item, "obj", None)
    if getattr(test, "is_hypothesis_test", False):
        from chaoscheck.profiles import seed_command

        command = seed_command(item.nodeid, test)
        if command is not None:
            report.sections.append(("Repeat this search", command))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the kept stories that are stale, and the files that are broken."""
    notices = sorted(
        {
            str(text)
            for reports in terminalreporter.stats.values()
            for report in reports
            for name, text in getattr(report, "user_properties", ())
            if name == _NOTICE
        }
    )
    if notices:
        terminalreporter.write_sep("=", "chaos regressions")
        for notice in notices:
            terminalreporter.write_line(notice)


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


@pytest.fixture
def chaos_server(request: pytest.FixtureRequest) -> Iterator[ThreadedServer]:
    """A chaos server of this test's own on 127.0.0.1, as its marker ``chaos`` says."""
    from chaoscheck.pytest_server import served

    yield from served(request.node)


@pytest.fixture
def chaos_server_env(chaos_server: ThreadedServer) -> Iterator[ThreadedServer]:
    """The test's ``chaos_server``, which clients find by environment variables until it ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in chaos_server.environment().items():
            patch.setenv(name, value)
        yield chaos_server


@pytest.fixture(scope="session")
def chaos_server_session(request: pytest.FixtureRequest) -> Iterator[ThreadedServer]:
    """One chaos server for the session; as new, on its marker's plan, for each test."""
    from chaoscheck.pytest_server import session_served

    yield from session_served(request.config)
