"""One client meets one fault in both worlds; what came of it is held against the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from chaoscheck.plan.fault import Fault
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.world import World
from tests.contract.clients import Ask, Outcome
from tests.contract.sights.sight import ErrorWords, Sight
from tests.contract.worlds import HOST, PATIENCE_S, WORLDS, serve

__all__ = ["check_sight", "names_of", "says_words"]


class Met(NamedTuple):
    """The outcome, when it was there, and when the world was at rest again."""

    outcome: Outcome
    answered_s: float
    rested_s: float


def check_sight(sight: Sight, client: str, clients: Mapping[str, Ask]) -> None:
    """Assert that this client meets what the table says, in both worlds alike."""
    virtual, loopback = (_meet(kind, sight.fault, clients[client]) for kind in WORLDS)

    outcome, answered_s, rested_s = virtual
    expected = sight.through(client)
    assert virtual == loopback
    assert (expected.ended, expected.status) == (outcome.ended, outcome.status)
    assert sight.elapsed_s(client) == answered_s == rested_s
    if expected.delivered is not None:
        assert expected.delivered == outcome.delivered
    else:
        assert sight.words is not None
        says_words(sight.words, outcome.delivered, anthropic=client == "anthropic")


def says_words(words: ErrorWords, body: bytes, *, anthropic: bool = False) -> None:
    """Assert that an error's body is JSON that names it as the provider does."""
    error = json.loads(body)["error"]
    if anthropic:
        assert words.anthropic_type == error["type"]
    else:
        assert (words.type, words.code) == (error["type"], error["code"])
    assert error["message"]


def names_of(sights: list[Sight]) -> set[str]:
    """The faults that a table has a line for."""
    return {sight.fault.name for sight in sights}


def _meet(kind: type[World], fault: Fault, ask: Ask) -> Met:
    server = ChaosServer()
    server.next_fault(fault)
    with kind() as world:
        serve(world, server)
        outcome = world.run(ask, HOST, 80, PATIENCE_S)
        answered_s = world.now
        world.settle()
        assert [] == world.network.connections()
        assert 1 == server.hits[fault.name]
        return Met(outcome, answered_s, world.now)
