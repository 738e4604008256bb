"""The pass over arguments: fewer choices, and simpler ones, as far as strategies allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, islice
from typing import Any, NamedTuple

from chaoscheck.plan.program import Program, Step
from chaoscheck.stateful.conjecture import ChoiceNode
from chaoscheck.stateful.shrinking.remade_arguments import Remaking
from chaoscheck.stateful.shrinking.shrunk_arguments import (
    CHOICES_MAX,
    SCANNED_MAX,
    shortened,
    simpler_values,
)

# Theory of operation. Each choice is made simpler on its own until nothing helps. A threshold is
# looked for as Hypothesis does it: by ever longer strides, then by halves, so that a number of n
# bits costs some 2n replays. Then what one choice alone cannot do is tried with two: equal
# choices become simpler together (a key that is put and then got), and one number takes over
# what another one loses (a sum that two arguments share).

__all__ = ["ArgumentPass"]

UNITS = (1, 2, 10)  # strides are multiples of these: a law may want an even number
PAIRS_MAX = 15  # of choices that change together
PLACES_MAX = 48  # choices of a program, beyond which pairs of them are too many


class Place(NamedTuple):
    """Where a choice stands: the step, the argument, the place among its choices."""

    step: int
    name: str
    at: int


class ArgumentPass:
    """Makes the arguments of the best program smaller.

    ``program`` gives the best program so far, ``attempt`` tries a smaller one.
    """

    def __init__(
        self,
        remaking: Remaking,
        program: Callable[[], Program],
        attempt: Callable[[Program], bool],
    ) -> None:
        self._remaking = remaking
        self._program = program
        self._attempt = attempt

    def run(self) -> None:
        """Every argument by itself, then pairs of choices."""
        for step in self._program().steps:
            for name in step.arguments:
                self._shorten(step.number, name)
                self._simplify_each(step.number, name)
        self._simplify_equals()
        self._pairs_of_numbers()

    # ------------------------------------------------------------------ one argument

    def _shorten(self, number: int, name: str) -> None:
        while any(self._attempt(each) for each in self._shorter(number, name)):
            pass

    def _shorter(self, number: int, name: str) -> Iterator[Program]:
        program, step = self._step(number)
        if step is None or name not in step.arguments:
            return
        for choices in shortened(step.arguments[name]):
            changed = self._remaking.remade(program, step, name, choices)
            if changed is not None:
                yield changed

    def _simplify_each(self, number: int, name: str) -> None:
        at = 0
        while at < min(len(self._nodes(number, name)), CHOICES_MAX):
            self._simplify([Place(number, name, at)])
            at += 1

    # ------------------------------------------------------------------ one choice, or equal ones

    def _simplify(self, places: list[Place]) -> None:
        """The same simpler choice at all ``places``, until none does."""
        while self._simplify_once(places):
            pass

    def _simplify_once(self, places: list[Place]) -> bool:
        node = self._node(places[0])
        if node is None:
            return False
        if any(self._put(places, value) for value in simpler_values(node)):
            return True
        return type(node.value) is int and self._approach(places, node)

    def _approach(self, places: list[Place], node: ChoiceNode) -> bool:
        """As near to the simplest integer as one stride, found by trial, leads."""
        distance = node.value - node.target
        sign = -1 if distance < 0 else 1
        if abs(distance) <= SCANNED_MAX:
            return False

        def nearer(by: int) -> bool:
            return by <= abs(distance) and self._put(places, node.value - sign * by)

        return any(longest_stride(nearer, unit) for unit in UNITS)

    def _put(self, places: list[Place], value: Any) -> bool:
        changed: Program | None = self._program()
        for place in places:
            if changed is not None:
                changed = self._with_choice(changed, place, value)
        return changed is not None and self._attempt(changed)

    def _with_choice(self, program: Program, place: Place, value: Any) -> Program | None:
        step = next((each for each in program.steps if each.number == place.step), None)
        if step is None or place.name not in step.arguments:
            return None
        choices = [node.value for node in self._remaking.nodes(step, place.name)]
        if place.at >= len(choices):
            return None
        choices[place.at] = value
        return self._remaking.remade(program, step, place.name, tuple(choices))

    # ------------------------------------------------------------------ two choices

    def _simplify_equals(self) -> None:
        for group in self._equal_places():
            self._simplify(group)

    def _equal_places(self) -> list[list[Place]]:
        groups: dict[object, list[Place]] = {}
        for place, node in self._places():
            if type(node.value) is not bool:
                groups.setdefault(node.key, []).append(place)
        groups_of_two = [group for group in groups.values() if len(group) > 1]
        pairs = [list(pair) for group in groups_of_two for pair in combinations(group, 2)]
        return [*groups_of_two, *pairs[:PAIRS_MAX]]

    def _pairs_of_numbers(self) -> None:
        """Both smaller by the same (a law of their difference), or one what the other loses."""
        numbers = [place for place, node in self._places() if type(node.value) is int]
        for one, other in islice(combinations(numbers, 2), PAIRS_MAX):
            self._change_both(one, other, opposite=False)
            self._change_both(one, other, opposite=True)

    def _change_both(self, one: Place, other: Place, *, opposite: bool) -> None:
        first, second = self._node(one), self._node(other)
        if first is None or second is None or not (first.index and second.index):
            return
        distance = first.value - first.target
        sign = -1 if distance < 0 else 1
        seconds = sign if opposite else -sign

        def changed(by: int) -> bool:
            if by > abs(distance):
                return False
            program = self._with_choice(self._program(), one, first.value - sign * by)
            if program is None:
                return False
            both = self._with_choice(program, other, second.value + seconds * by)
            return both is not None and self._attempt(both)

        if not changed(abs(distance)):
            longest_stride(changed)

    def _places(self) -> list[tuple[Place, ChoiceNode]]:
        """Every choice of the program, unless there are too many."""
        found = [
            (Place(step.number, name, at), node)
            for step in self._program().steps
            for name in step.arguments
            for at, node in enumerate(self._remaking.nodes(step, name))
        ]
        return found if len(found) <= PLACES_MAX else []

    # ------------------------------------------------------------------ the best program

    def _node(self, place: Place) -> ChoiceNode | None:
        nodes = self._nodes(place.step, place.name)
        return nodes[place.at] if place.at < len(nodes) else None

    def _nodes(self, number: int, name: str) -> tuple[ChoiceNode, ...]:
        _, step = self._step(number)
        if step is None or name not in step.arguments:
            return ()
        return self._remaking.nodes(step, name)

    def _step(self, number: int) -> tuple[Program, Step | None]:
        """The step may have gone, with what could not be replayed."""
        program = self._program()
        return program, next((each for each in program.steps if each.number == number), None)


def longest_stride(works: Callable[[int], bool], unit: int = 1) -> int:
    """A multiple of ``unit`` that works, though the next one does not; 0 if not even the first."""
    if not works(unit):
        return 0
    low, high = 1, 2
    while works(unit * high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if works(unit * middle):
            low = middle
        else:
            high = middle
    return unit * low
