"""Somebody else's implementation under our laws: a good one passes, a wrong one is caught."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.components.reorder_buffer import ReorderBuffer
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.subjects.chosen import choose, forget_choices
from properties.test_reorder_buffer import ReorderLine
from properties.test_retry import RetryCourse
from tests.quality.planted_bug import names_in_the_traceback

EXAMPLES = str(Path(__file__).parents[3] / "docs" / "examples")
HERE = "tests.unit.subjects.test_under_the_laws"


@pytest.fixture(autouse=True)
def _ours_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    forget_choices()


def uncapped(attempts: int, base_s: float, cap_s: float, **settings: Any) -> Any:
    """The library again, but somebody forgot the cap."""
    from backoff_retry import BackoffRetry  # type: ignore[import-not-found]

    del cap_s
    return BackoffRetry(attempts, base_s, float("inf"), **settings)


uncapped.runtime = "asyncio"  # type: ignore[attr-defined]


class LastComesFirst(ReorderBuffer[Any]):
    """Hands out what is ready from the wrong end."""

    def take_ready(self) -> list[tuple[int, Any]]:
        """The ready ones, newest first."""
        return super().take_ready()[::-1]


def test_a_published_asyncio_library_keeps_the_laws_of_retry() -> None:
    """The worked example of the docs: a search of 60 stories (~1 s) finds nothing."""
    choose("retry=backoff_retry:BackoffRetry")

    found = find_counterexample(RetryCourse, max_examples=60)

    assert found is None, str(found)
    assert "backoff" in sys.modules


def test_the_same_library_without_its_cap_is_caught() -> None:
    """Takes ~2 s, for the search and its shrinking: one call that waits too long, or for ever."""
    choose(f"retry={HERE}:uncapped")

    found = find_counterexample(RetryCourse, max_examples=60)

    assert found is not None
    fallen = names_in_the_traceback(found.error)
    assert fallen & {"every_delay_is_lawful_jitter_included", "every_call_comes_to_an_end"}
    assert len(found.steps) <= 4


def test_a_trio_subject_that_breaks_a_law_is_caught() -> None:
    """A buffer that is not ours stands under the same laws (~1 s)."""
    choose(f"reorder_buffer={HERE}:LastComesFirst")

    assert find_counterexample(ReorderLine, max_examples=60) is not None
