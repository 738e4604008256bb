"""Of the shards of one machine, the one that met a bug first tells it; the others say who does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from chaoscheck.stateful.claims import Claims, ToldElsewhere, claiming
from chaoscheck.stateful.exploring.exploring import exploring_for
from chaoscheck.stateful.failures import Origin
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.running import run_machine

SEARCHING = settings(
    max_examples=60,
    stateful_step_count=10,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=True,
    suppress_health_check=list(HealthCheck),
)
BUG = Origin("KeyError", "test_x.py", 3)
OTHER = Origin("KeyError", "test_x.py", 4)


class Two(ChaosMachine):
    """Two bugs, one step each."""

    @rule()
    def one(self) -> None:
        """A bug."""
        raise KeyError("one")

    @rule()
    def other(self) -> None:
        """Another."""
        raise OSError("other")


def origin_in(rule_name: str, kind: str) -> Origin:
    """Where a rule of the machine raises."""
    function = getattr(Two, rule_name)
    code = getattr(function, "__wrapped__", function).__code__
    return Origin(kind, __file__, code.co_firstlineno + 3)


def test_the_first_shard_that_claims_a_bug_has_it_for_good(tmp_path: Path) -> None:
    """The others learn whose it is; another bug is another claim."""
    first, second = Claims(tmp_path, "first"), Claims(tmp_path, "second")

    claims = [first.claim(BUG), second.claim(BUG), second.claim(OTHER), first.claim(BUG)]

    assert [True, False, True, True] == claims
    assert {BUG: "first"} == second.elsewhere
    assert {} == first.elsewhere
    with pytest.raises(ToldElsewhere, match=r"KeyError at test_x\.py:3: .* first"):
        second.require_none_elsewhere()


@pytest.mark.parametrize("folder", [None, Path("/dev/null/nowhere")], ids=["alone", "unwritable"])
def test_where_nothing_is_shared_every_shard_tells_what_it_finds(folder: Path | None) -> None:
    """Twice is better than never."""
    assert [True, True] == [Claims(folder, name).claim(BUG) for name in ("first", "second")]


def run_in_shard(folder: Path) -> BaseException:
    """What a shard of the machine ends with."""
    with claiming(folder), pytest.raises(BaseException) as raised:  # noqa: PT011  # any bug
        run_machine(Two, SEARCHING)
    return raised.value


def test_a_bug_that_another_shard_tells_does_not_hide_a_second_one(tmp_path: Path) -> None:
    """The search goes on past it, and the report names both."""
    Claims(tmp_path, "first").claim(origin_in("one", "KeyError"))

    error = run_in_shard(tmp_path)

    assert isinstance(error, OSError)
    assert "state.other()" in error.__notes__
    assert any("KeyError at test_claims.py" in note for note in error.__notes__)


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["hypothesis", "explorer"])
def test_a_shard_whose_bugs_are_told_elsewhere_fails_in_a_line(
    tmp_path: Path, seconds: float
) -> None:
    """It is red, since the shard with the story may have been killed; there is no second story."""
    first = Claims(tmp_path, "first")
    first.claim(origin_in("one", "KeyError"))
    first.claim(origin_in("other", "OSError"))

    with exploring_for(seconds):
        error = run_in_shard(tmp_path)

    assert isinstance(error, ToldElsewhere)
    assert [] == getattr(error, "__notes__", [])
    assert 2 == str(error).count("the story is told by first")
