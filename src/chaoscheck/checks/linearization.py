"""The search for a linearization of the operations of one key (Wing, Gong; Lowe).

"Testing and verifying concurrent objects" (Wing, Gong 1993) and "Testing for linearizability"
(Lowe 2017), whose just-in-time form this is. The history is cut wherever nothing is in flight:
operations that follow one another are walked through, overlapping ones are a tangle to search.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Generic, TypeAlias, TypeVar

from chaoscheck.checks.model import Model
from chaoscheck.history.operations import OperationRecord

__all__ = ["BudgetSpent", "DeadEnd", "Search"]

# Theory of operation.
#
# Only ok operations must be placed. An unknown one may be placed anywhere after its invocation or
# nowhere, so it ends no overlap: from the first unknown operation on, all is one tangle. Nothing
# is gained by placing one that leaves the state as it is, nor by placing a later one of two that
# are alike before the earlier one.
#
# Whoever completes first must be placed before anyone who was invoked later. So the candidates for
# the next place are those in flight at the first completion whose operation is not placed yet;
# they are the same whatever was placed before, and are listed once per completion. That list takes
# the place of the linked list of the papers: nothing is lifted out, nothing is put back.
#
# A configuration is (that completion, the operations in flight that are placed, the state): two
# orders that lead to one configuration have one future, so each is searched once. Placed
# operations are a bitmask over the bits of those in flight; a bit is free again after its
# operation's completion, so masks stay as small as the overlap, however long the history is.
# Required candidates are tried first, since most histories need no unknown operation.
#
# The memo outlives one visit of its tangle: when the tangle is entered again, from another state,
# all that the memo names has been searched in vain.
#
# The dead end at the latest completion, and of those the one that placed most, is the witness: up
# to that completion the history has a linearization, with it there is none, given what those in
# flight answer in the end.

S = TypeVar("S")

# How an order grew: (what was before, the operation placed, the state after it); None: nothing.
# Orders share their beginnings, so that backtracking costs nothing.
Placed: TypeAlias = "tuple[Any, OperationRecord, Any] | None"
Ends: TypeAlias = Iterator[tuple[S, Placed]]
# A candidate: its bit, then (guard, need) such that it may be placed if mask & guard == need, the
# states that may follow each state in which the model was asked, and the operation.
Move: TypeAlias = tuple[int, int, int, dict[S, tuple[S, ...]], OperationRecord]


class BudgetSpent(Exception):
    """The search saw as many configurations as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadEnd(Generic[S]):
    """Where an order could not go on: ``blocked`` had to come before its completion, and cannot.

    ``state`` is the model's state after what was placed.
    """

    placed: Placed
    state: S
    blocked: OperationRecord

    def order(self) -> list[tuple[OperationRecord, S]]:
        """The operations placed, first to last, each with the state after it."""
        order = []
        node = self.placed
        while node is not None:
            node, operation, state = node
            order.append((operation, state))
        return order[::-1]


class Search(Generic[S]):
    """One key's search. ``operations``: ok, unknown or in flight, in order of invocation.

    ``spent`` counts the configurations seen, ``farthest`` is the dead end that got farthest, None
    if there was none.
    """

    def __init__(self, operations: Sequence[OperationRecord], model: Model[S], budget: int) -> None:
        self.spent = 0
        self.farthest: DeadEnd[S] | None = None
        self.following = model.following
        self._model = model
        self._budget = budget
        required = [operation for operation in operations if operation.status == "ok"]
        optional = [operation for operation in operations if operation.status != "ok"]
        self._stretches: list[Callable[[S, Placed], Ends[S]]] = []
        self._cut(required, optional)

    def run(self) -> bool:
        """Whether there is a linearization. BudgetSpent if that took too much."""
        stretches = self._stretches
        seen: list[set[S]] = [set() for _ in stretches]
        start: Ends[S] = iter([(self._model.initial, None)])
        ends = [start]
        while ends:
            end = next(ends[-1], None)
            if end is None:
                ends.pop()
                continue
            if len(ends) > len(stretches):
                return True
            stretch = len(ends) - 1
            if end[0] not in seen[stretch]:
                seen[stretch].add(end[0])
                ends.append(stretches[stretch](*end))
        return False

    def spend(self, configurations: int = 1) -> None:
        """Count more configurations. BudgetSpent if there are no more."""
        self.spent += configurations
        if self.spent > self._budget:
            raise BudgetSpent

    def dead_end(self, blocked: OperationRecord, state: S, placed: Placed) -> None:
        """Keep it, unless one before got farther. A stretch tells its own best last."""
        best = self.farthest
        if best is None or _completion(blocked) >= _completion(best.blocked):
            self.farthest = DeadEnd(placed=placed, state=state, blocked=blocked)

    def _cut(
        self, required: Sequence[OperationRecord], optional: Sequence[OperationRecord]
    ) -> None:
        """Divide the history where nothing required is in flight, up to the first unknown one."""
        opening = optional[0].invoked if optional else sys.maxsize
        alone: list[OperationRecord] = []
        at, count = 0, len(required)
        while at < count:
            end, latest = at + 1, required[at].completed or 0
            while end < count and required[end].invoked < latest:
                latest = max(latest, _completion(required[end]))
                end += 1
            if latest > opening:
                break
            if end == at + 1:
                alone.append(required[at])
            else:
                self._add_walk(alone)
                alone = []
                self._add_tangle(required[at:end], ())
            at = end
        self._add_walk(alone)
        if at < count:
            self._add_tangle(required[at:], optional)

    def _add_tangle(
        self, required: Sequence[OperationRecord], optional: Sequence[OperationRecord]
    ) -> None:
        moves = _optional_moves(optional, by_argument=self._model.by_argument)
        self._stretches.append(_Tangle(required, moves, self).ends)

    def _add_walk(self, alone: list[OperationRecord]) -> None:
        if alone:
            self._stretches.append(lambda state, placed: self._walk(alone, state, placed))

    def _walk(self, alone: Sequence[OperationRecord], state: S, placed: Placed) -> Ends[S]:
        """Through operations that follow one another, with all states that may be at once."""
        following = self.following
        self.spend(len(alone))
        # Nearly always there is one state, and no need to gather them.
        at = 0
        while at < len(alone) and len(states := following(state, alone[at])) == 1:
            state = states[0]
            placed = (placed, alone[at], state)
            at += 1
        ends: dict[S, Placed] = {state: placed}
        for operation in alone[at:]:
            reached: dict[S, Placed] = {}
            for before, node in ends.items():
                for after in following(before, operation):
                    reached[after] = (node, operation, after)
            self.spend(len(ends) - 1)
            if not reached:
                before, node = next(iter(ends.items()))
                self.dead_end(operation, before, node)
                return
            ends = reached
        yield from ends.items()


class _Tangle(Generic[S]):
    """Overlapping ``required`` operations, and ``optional`` ones that may be placed as well."""

    def __init__(
        self,
        required: Sequence[OperationRecord],
        optional: Sequence[Move[S]],
        search: Search[S],
    ) -> None:
        self._search = search
        self._optional = optional
        self._memo: set[tuple[int, int, S]] = set()
        self._reached = (0, 0)
        # For each completion: the candidates before it, how many of the unknown operations were
        # invoked by then, whose completion it is, and that operation's bit (at the end none).
        self._moves: list[tuple[Move[S], ...]] = []
        self._invoked: list[int] = []
        self._blocked: list[OperationRecord] = []
        self._bits: list[int] = []
        self._lay_out(required)

    def ends(self, state: S, placed: Placed) -> Ends[S]:
        """Every state in which the tangle can end that starts in ``state``, each with its order.

        The generator must be exhausted before it may be asked from another state.
        """
        memo, bits, done = self._memo, self._bits, len(self._blocked)
        frames: list[tuple[Iterator[Move[S]], int, int, S, Placed]] = []
        event = mask = 0
        moves, fresh = self._moves_at(0), True
        while True:
            for move in moves:
                bit, guard, need, known, operation = move
                if mask & guard != need:
                    continue
                states = known.get(state)
                if states is None:
                    states = self._ask(move, state)
                if not states:
                    continue
                at, then = event, mask | bit
                while then & bits[at]:
                    then ^= bits[at]
                    at += 1
                after = states[0]
                if len(states) > 1:
                    after = next((one for one in states if (at, then, one) not in memo), after)
                if (at, then, after) not in memo:
                    break
            else:
                if fresh:
                    self._dead_end(event, state, placed, len(frames))
                if not frames:
                    return
                moves, event, mask, state, placed = frames.pop()
                fresh = False
                continue
            self._search.spend()
            memo.add((at, then, after))
            # A move that may lead to several states comes again, for those not seen yet.
            rest = moves if len(states) == 1 else chain((move,), moves)
            frames.append((rest, event, mask, state, placed))
            event, mask, state, placed = at, then, after, (placed, operation, after)
            moves, fresh = self._moves_at(event), event < done
            if not fresh:
                yield state, placed

    def _moves_at(self, event: int) -> Iterator[Move[S]]:
        moves, invoked = self._moves[event], self._invoked[event]
        return chain(moves, islice(self._optional, invoked)) if invoked else iter(moves)

    def _ask(self, move: Move[S], state: S) -> tuple[S, ...]:
        """The states that may follow ``state`` by ``move``, and keep them."""
        _, _, _, known, operation = move
        states = self._search.following(state, _as_judged(operation))
        if operation.status != "ok":
            states = tuple(each for each in states if each != state)
        known[state] = states
        return states

    def _dead_end(self, event: int, state: S, placed: Placed, depth: int) -> None:
        if (event, depth) >= self._reached:
            self._reached = event, depth
            self._search.dead_end(self._blocked[event], state, placed)

    def _lay_out(self, required: Sequence[OperationRecord]) -> None:
        """Give out the bits, and list for each completion who is in flight at it."""
        ends = [(operation.invoked, operation) for operation in required]
        ends += [(_completion(operation), operation) for operation in required]
        ends.sort(key=itemgetter(0))
        in_flight: dict[int, Move[S]] = {}
        invoked = 0
        # The first bits are the unknown operations', for good.
        free, bit_next = list[int](), 1 << len(self._optional)
        for position, operation in ends:
            if position == operation.invoked:
                if not free:
                    free, bit_next = [bit_next], bit_next << 1
                bit = free.pop()
                in_flight[operation.invoked] = (bit, bit, 0, {}, operation)
                continue
            while invoked < len(self._optional) and self._optional[invoked][4].invoked < position:
                invoked += 1
            self._invoked.append(invoked)
            self._moves.append(tuple(in_flight.values()))
            self._blocked.append(operation)
            self._bits.append(in_flight.pop(operation.invoked)[0])
            free.append(self._bits[-1])
        # At the end nobody is in flight, and no bit is left to pass.
        self._bits.append(0)
        self._moves.append(())
        self._invoked.append(0)


def _optional_moves(optional: Sequence[OperationRecord], *, by_argument: bool) -> list[Move[Any]]:
    """The unknown operations as candidates; one needs the last before it that is alike."""
    moves: list[Move[Any]] = []
    for place, operation in enumerate(optional):
        earlier = (before for before in range(place - 1, -1, -1) if by_argument)
        alike = next((each for each in earlier if _alike(optional[each], operation)), None)
        need = 0 if alike is None else 1 << alike
        moves.append((1 << place, 1 << place | need, need, {}, operation))
    return moves


def _alike(one: OperationRecord, other: OperationRecord) -> bool:
    if one.name != other.name:
        return False
    try:
        return bool(one.argument == other.argument)
    except Exception:  # Arguments that refuse to be compared are not alike.
        return False


def _completion(operation: OperationRecord) -> int:
    assert operation.completed is not None
    return operation.completed


def _as_judged(operation: OperationRecord) -> OperationRecord:
    """What is in flight, as the model is asked about it: unknown."""
    if operation.status != "in flight":
        return operation
    return replace(operation, status="unknown", completed=sys.maxsize)
