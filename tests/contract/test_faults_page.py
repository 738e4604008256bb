"""docs/faults.md says what is true, on the virtual network and on kernel TCP."""

from __future__ import annotations

import pytest

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.world.world import World
from tests.architecture.checkout import ROOT
from tests.contract.faults_page import FAMILY_TITLES, INTRODUCTION, section
from tests.contract.worlds import WORLDS

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")

# The google-genai SDK leaves the generator of a stream to the collector, on which trio remarks;
# the openai SDK writes what it has read, whose types it did not check.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]

of_every_fault = pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)


@pytest.mark.parametrize("world", WORLDS, ids=["virtual", "loopback"])
@of_every_fault
def test_the_page_shows_what_a_client_sees(kind: type[Fault], world: type[World]) -> None:
    """Every byte, every ending and every exception on the page is what I will meet.

    Slow (up to 0.6 s): a plain and a streamed answer through five clients each.
    """
    assert section(kind, world) in PAGE


def test_the_page_says_nothing_else() -> None:
    """No section is left over of a fault that is no more; none is missing."""
    titles = [line for line in PAGE.splitlines() if line.startswith("### ")]

    assert [f"### `{kind()!r}`" for kind in FAULTS] == titles
    assert PAGE.startswith(INTRODUCTION)
    assert list(FAMILY_TITLES.values()) == [
        line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## ")
    ]
