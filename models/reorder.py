"""A reorder buffer as a step function: state x operation -> state, tickets that leave, refusal.

A state is the live tickets in order, each with or without a result, and how many were ever
issued. A ticket leaves when it has a result and every older live ticket has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Operation", "Refusal", "ReorderState", "Step", "lawful_emission", "reorder_step"]

OperationName = Literal["reserve", "complete", "evict"]
Refusal = Literal["full", "not_unfinished", "never_issued"]


@dataclass(frozen=True, slots=True)
class Operation:
    """*reserve* a ticket, *complete* or *evict* the one with number ``ticket``."""

    name: OperationName
    ticket: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderState:
    """``live``: (ticket, has a result), oldest first; at most ``max_pending`` of them."""

    max_pending: int
    live: tuple[tuple[int, bool], ...] = ()
    issued: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an operation leads to. A refused one changes nothing, and *full* means: wait."""

    state: ReorderState
    leaving: tuple[int, ...] = ()
    refusal: Refusal | None = None


def reorder_step(state: ReorderState, operation: Operation) -> Step:
    """Apply ``operation``; evicting a ticket that has already gone changes nothing."""
    ticket = operation.ticket
    if operation.name == "reserve":
        if len(state.live) >= state.max_pending:
            return Step(state=state, refusal="full")
        live = (*state.live, (state.issued, False))
        return Step(state=replace(state, live=live, issued=state.issued + 1))
    if operation.name == "complete":
        if (ticket, False) not in state.live:
            return Step(state=state, refusal="not_unfinished")
        live = tuple((each, done or each == ticket) for each, done in state.live)
        return _released(replace(state, live=live))
    if not 0 <= ticket < state.issued:
        return Step(state=state, refusal="never_issued")
    return _released(replace(state, live=tuple(each for each in state.live if each[0] != ticket)))


def _released(state: ReorderState) -> Step:
    """Let the finished tickets at the head go."""
    ready = 0
    while ready < len(state.live) and state.live[ready][1]:
        ready += 1
    leaving = tuple(ticket for ticket, _ in state.live[:ready])
    return Step(state=replace(state, live=state.live[ready:]), leaving=leaving)


def lawful_emission(
    issued: int, evicted: Sequence[int], finished: Sequence[int], emitted: Sequence[int]
) -> bool:
    """Whether ``emitted`` is all that may have left: no more, no less, in order, nothing twice.

    ``evicted`` names the tickets whose eviction was accepted, ``finished`` those that were
    given a result. All tickets before the oldest unfinished and unevicted one have left.
    """
    gone = set(evicted)
    done = set(finished)
    expected = []
    for ticket in range(issued):
        if ticket in gone:
            continue
        if ticket not in done:
            break
        expected.append(ticket)
    return expected == list(emitted)
