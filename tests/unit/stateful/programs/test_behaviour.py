"""Digests of replays: what a machine without a network did enters as well."""

from __future__ import annotations

import pytest
import trio
from hypothesis import strategies as st

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.behaviour import shown
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import rule
from tests.unit.stateful.stories import story


class Tally(ChaosMachine):
    """No network: what is returned, when, and what goes on in operations is all there is."""

    @rule(value=st.integers())
    def returns(self, value: int) -> list[int]:
        return [value]

    @rule(value=st.integers())
    async def takes_time(self, value: int) -> object:
        await trio.sleep(value)
        return object()  # has an address, which is another one in each run

    @rule(in_flight=True, value=st.integers())
    async def operates(self, value: int) -> None:
        await trio.sleep(value)
        assert value != 3, f"{self} is at an address"


@pytest.mark.parametrize("name", ["returns", "takes_time", "operates"])
def test_digests_differ_where_no_network_is_used(name: str) -> None:
    """Values, times and the ends of operations enter; equal programs still have equal digests."""
    digests = [[replay(Tally, story((name, {"value": n}))).digest for n in (1, 2, 3)] for _ in "ab"]

    assert digests[0] == digests[1]
    assert 3 == len(set(digests[0]))


def test_values_alone_are_no_conduct() -> None:
    """What a rule returns may be an identity: that does not make a machine undetermined."""
    one, other = (replay(Tally, story(("returns", {"value": n}))) for n in (1, 2))

    assert one.conduct == other.conduct
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": (1, None)}, "dict{'a': tuple[1, None]}"),
        ({"b", "a"}, "set{'a', 'b'}"),
        (object(), "object"),
        ([[[[[1]]]]], "list[list[list[list[list]]]]"),
    ],
)
def test_values_are_shown_alike_in_every_process(value: object, text: str) -> None:
    """No address, no order of hashes, and an end to what contains itself."""
    assert text == shown(value)
