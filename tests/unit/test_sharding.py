"""A machine's test as several items: which are collected, who leads, and whose seed is whose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, core, settings
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, rule
from chaoscheck.sharding import shard_of
from chaoscheck.stateful.running import run_machine, use_keeper
from chaoscheck.stateful.shard import WHOLE, RunSeed, Shard, current_shard, sharing

TEST_FILE = """
from chaoscheck import ChaosMachine, rule

class Idle(ChaosMachine):
    @rule()
    def rest(self):
        pass

TestIdle = Idle.TestCase

def test_plain():
    pass
"""
IDLE, PLAIN = "test_idle.py::TestIdle::runTest", "test_idle.py::test_plain"
SETTINGS = settings(max_examples=10, stateful_step_count=1, database=None, deadline=None)


class Collected:
    """A plugin that collects as a worker of so many would, and remembers what."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.items: list[str] = []
        self.leaders: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        if self._workers > 1:
            config.workerinput = {"workercount": self._workers, "workerid": "gw0"}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = [item.nodeid for item in session.items]
        self.leaders = [item.nodeid for item in session.items if shard_of(item).leads]


def collect(place: Path, *arguments: str, workers: int = 1) -> Collected:
    """What a pytest that was started in ``place`` collects; a run inside this one."""
    (place / "test_idle.py").write_text(TEST_FILE, encoding="utf-8")
    collected = Collected(workers)
    quiet = ["--collect-only", "-p", "no:cacheprovider", "-p", "no:terminal"]
    isolated = ["--rootdir", str(place), "-c", "/dev/null", "--import-mode=importlib"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        pytest.main([*quiet, *isolated, *arguments], plugins=[collected])
    return collected


def shards(count: int) -> list[str]:
    return [f"{IDLE}[{number}/{count}]" for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("arguments", "workers", "expected"),
    [
        ([], 1, [IDLE, PLAIN]),
        ([], 3, [*shards(3), PLAIN]),
        ([], 64, [*shards(4), PLAIN]),  # 100 examples are four times 25
        (["--chaos-shards", "6"], 1, [*shards(6), PLAIN]),
        (["--chaos-shards", "1"], 3, [IDLE, PLAIN]),
        (["--chaos-replay", "AAAA", IDLE], 3, [IDLE]),
        ([IDLE], 2, shards(2)),
        (["-k", "TestIdle"], 2, shards(2)),
        ([f"{IDLE}[2/3]"], 1, [f"{IDLE}[2/3]"]),
        ([f"{IDLE}[2/3]"], 3, [f"{IDLE}[2/3]"]),
        ([f"{IDLE}[2/3]", "--chaos-replay", "AAAA"], 3, [f"{IDLE}[2/3]"]),
        ([IDLE, f"{IDLE}[2/3]"], 1, [IDLE, f"{IDLE}[2/3]"]),
        ([f"{IDLE}[4/3]"], 1, []),
        ([f"{IDLE}[0/3]"], 1, []),
    ],
)
def test_a_machine_is_collected_as_often_as_there_are_workers_for_it(
    tmp_path: Path, arguments: list[str], workers: int, expected: list[str]
) -> None:
    """One item without xdist, N with it, and always the one that I name."""
    assert expected == collect(tmp_path, *(arguments or ["."]), workers=workers).items


def test_the_first_shard_that_is_selected_leads(tmp_path: Path) -> None:
    """What was found before is replayed once, whichever shards I select."""
    every = collect(tmp_path, IDLE, workers=3)
    some = collect(tmp_path, IDLE, "-k", "not 1/3", workers=3)

    assert [shards(3)[0]] == every.leaders
    assert [shards(3)[1]] == some.leaders


def test_shares_sum_to_all_examples_and_only_the_leader_reuses_old_ones() -> None:
    """Shards do together what one test would do."""
    parts = [Shard(number=number, count=4, leads=number == 1) for number in range(1, 5)]
    given = settings(max_examples=10)

    shares = [part.share_of(given) for part in parts]

    assert [3, 3, 2, 2] == [share.max_examples for share in shares]
    assert [True, False, False, False] == [Phase.reuse in share.phases for share in shares]
    assert 1 == Shard(number=2, count=20).share_of(given).max_examples
    assert given is WHOLE.share_of(given)


@pytest.mark.parametrize("number", [0, 4, -1])
def test_a_shard_that_there_is_not_is_refused(number: int) -> None:
    """The message says which there are."""
    with pytest.raises(PlanError, match=rf"must be in \[1, 3\], got {number}"):
        Shard(number=number, count=3)


class Noting(ChaosMachine):
    """Notes the numbers that are drawn, and finds those above a limit wrong."""

    drawn: list[int]
    limit = 2**64

    @rule(number=st.integers(0, 2**64))
    def note(self, number: int) -> None:
        self.drawn.append(number)
        assert number <= self.limit


def drawn_by(shard: Shard) -> list[int]:
    """The numbers that a shard's run draws."""
    Noting.drawn = []
    with sharing(shard):
        run_machine(Noting, SETTINGS)
    return Noting.drawn


@pytest.fixture
def forced_seed(monkeypatch: pytest.MonkeyPatch) -> int:
    """As if ``--hypothesis-seed=7`` were given."""
    monkeypatch.setattr(core, "global_force_seed", 7)
    return 7


@pytest.mark.usefixtures("forced_seed")
def test_a_seed_repeats_each_shard_and_no_shard_repeats_another() -> None:
    """With ``--hypothesis-seed`` the whole run can be had again, and nothing is done twice."""
    first, second = Shard(number=1, count=2), Shard(number=2, count=2)

    assert drawn_by(first) == drawn_by(first)
    assert drawn_by(WHOLE) == drawn_by(WHOLE)
    assert drawn_by(first) != drawn_by(second)


def test_without_a_seed_no_run_repeats_another() -> None:
    """Each run draws afresh."""
    assert drawn_by(WHOLE) != drawn_by(WHOLE)


def test_searches_of_a_run_have_seeds_of_their_own(forced_seed: int) -> None:
    """A search for missed faults does not draw what the first one drew; that takes the seed."""
    whole = RunSeed.of(Noting, SETTINGS, "Noting")
    half = RunSeed(whole.base, Shard(number=1, count=2))

    seeds = [seed.of_search(number) for seed in (whole, half) for number in range(4)]

    assert forced_seed == seeds[0]
    assert 8 == len(set(seeds))


def test_a_failing_run_says_how_to_search_again(
    forced_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of a failure is a command that I can paste."""
    monkeypatch.setattr(Noting, "limit", -1)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "test_it.py::TestIt::runTest[2/4] (call)")

    with pytest.raises(AssertionError) as failed:
        drawn_by(Shard(number=2, count=4))

    command = f"pytest 'test_it.py::TestIt::runTest[2/4]' --hypothesis-seed={forced_seed}"
    assert f"Repeat this search: {command}" == failed.value.__notes__[-1]


@pytest.mark.parametrize(
    ("own", "derandomize", "base"), [(5, False, 5), (None, True, "Noting"), (5, True, 5)]
)
def test_what_is_repeated_by_every_run_needs_no_command(
    own: int | None, derandomize: bool, base: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``@seed`` and derandomizing decide; a seed in the command line would change nothing."""
    if own is not None:
        monkeypatch.setattr(Noting, "_hypothesis_internal_use_seed", own, raising=False)
    error = AssertionError()

    seed = RunSeed.of(Noting, settings(SETTINGS, derandomize=derandomize), "Noting")
    seed.note_on(error)

    assert base == seed.base
    assert not hasattr(error, "__notes__")


class CountingKeeper:
    """Counts how often it is asked to replay."""

    def __init__(self) -> None:
        self.replays = 0

    def replay_first(self, machine: Any) -> None:
        self.replays += 1

    def keep(self, machine: Any, minimal: Any) -> list[str]:
        return []


@pytest.mark.parametrize(("leads", "expected"), [(True, 1), (False, 0)])
def test_only_the_leader_replays_what_was_kept(leads: bool, expected: int) -> None:
    """A kept story that fails is reported once, not by each shard."""
    keeper = CountingKeeper()
    use_keeper(keeper)
    try:
        drawn_by(Shard(number=2, count=2, leads=leads))
    finally:
        use_keeper(None)

    assert expected == keeper.replays


def test_outside_of_a_shard_a_test_is_the_whole() -> None:
    """``python -m unittest`` and direct calls run everything."""
    with sharing(Shard(number=2, count=3)):
        assert "2/3" == str(current_shard())

    assert WHOLE == current_shard()
