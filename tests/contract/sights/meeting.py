"""One client meets one fault in a world, and what came of it is put as the tables put it."""

from __future__ import annotations

import json
from typing import NamedTuple

from chaoscheck.plan.fault import Fault
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.world import World
from tests.contract.clients import Ask, Outcome
from tests.contract.sights.sight import ErrorWords, Heard, Sight
from tests.contract.worlds import HOST, PATIENCE_S, serve

__all__ = ["Met", "heard", "meet", "names_of", "says"]


class Met(NamedTuple):
    """The outcome, when it was there, when the world was at rest, and what was left behind.

    ``unseen`` are the faults that had no effect.
    """

    outcome: Outcome
    answered_s: float
    rested_s: float
    connections: int
    unseen: tuple[str, ...]


def meet(kind: type[World], fault: Fault, ask: Ask) -> Met:
    """Let one client ask a server whose next fault is this one."""
    server = ChaosServer()
    server.next_fault(fault)
    with kind() as world:
        serve(world, server)
        outcome = world.run(ask, HOST, 80, PATIENCE_S)
        answered_s = world.now
        world.settle()
        unseen = tuple(repr(exchange.fault) for exchange in server.ledger if not exchange.effect)
        left = len(world.network.connections())
        assert 1 == server.injected[fault.name]
        return Met(outcome, answered_s, world.now, left, unseen)


def heard(sight: Sight, client: str, outcome: Outcome) -> Heard:
    """The outcome; an error's body counts as None if it bears the words that it should."""
    delivered: bytes | None = outcome.delivered
    words = sight.words
    if words is not None and says(words, outcome.delivered, anthropic=client == "anthropic"):
        delivered = None
    return Heard(ended=outcome.ended, status=outcome.status, delivered=delivered)


def says(words: ErrorWords, body: bytes, *, anthropic: bool = False) -> bool:
    """Whether an error's body is JSON that names it as the provider does, with a message."""
    error = json.loads(body)["error"]
    if anthropic:
        return bool(error["message"]) and words.anthropic_type == error["type"]
    return bool(error["message"]) and (words.type, words.code) == (error["type"], error["code"])


def names_of(sights: list[Sight]) -> set[str]:
    """The faults that a table has a line for."""
    return {sight.fault.name for sight in sights}
