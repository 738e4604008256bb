"""Smaller arguments: proposals for the choices that an argument is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from chaoscheck.plan.program import Argument, Step
from chaoscheck.stateful.conjecture import ChoiceNode, unbounded_nodes
from chaoscheck.stateful.shrinking.remade_arguments import choices_of

__all__ = [
    "CHOICES_MAX",
    "further",
    "lowered",
    "merged",
    "nearby",
    "shortened",
    "simpler_values",
]

Choices = tuple[Any, ...]
CHOICES_MAX = 64  # an argument of more choices is Hypothesis's business
RUN_MAX = 12  # the longest run of choices that is left out at once
SCANNED_MAX = 12  # integers this near to the simplest are all tried
CHARACTERS_MAX = 24  # a longer text is cut, but its characters are not made simpler one by one
FRACTION_BITS_MAX = 12  # a fraction is tried with so many binary digits


def shortened(argument: Argument) -> Iterator[Choices]:
    """Without a run of choices, the longest first: an element of a list is such a run."""
    choices = choices_of(argument)
    if len(choices) > CHOICES_MAX:
        return
    for length in range(min(len(choices) - 1, RUN_MAX), 0, -1):
        for place in range(len(choices) - length + 1):
            yield (*choices[:place], *choices[place + length :])


def lowered(argument: Argument) -> Iterator[Choices]:
    """With one choice simpler, where it is not known which strategy took them."""
    choices = choices_of(argument)
    if len(choices) > CHOICES_MAX:
        return
    for place, node in enumerate(unbounded_nodes(choices)):
        for value in (*simpler_values(node), *_a_little_less(node.value)):
            yield (*choices[:place], value, *choices[place + 1 :])


def _a_little_less(value: Any) -> list[int]:
    if not _is_integer(value):
        return []
    sign = -1 if value < 0 else 1
    return [value - sign * less for less in (10, 2, 1) if less <= abs(value)]


def simpler_values(node: ChoiceNode) -> Iterator[Any]:
    """Legal choices that are simpler than ``node``'s; the boldest first."""
    proposals = _PROPOSALS[type(node.value)](node)
    for value in dict.fromkeys(proposals):
        if node.simpler(value):
            yield value


def _booleans(node: ChoiceNode) -> Iterator[bool]:
    yield False


def _integers(node: ChoiceNode) -> Iterator[int]:
    target = node.target
    sign = 1 if node.value >= target else -1
    distance = abs(node.value - target)
    for shorter in _shorter_distances(distance):
        yield target + sign * shorter
        yield target - sign * shorter
    yield target - sign * distance


def _shorter_distances(distance: int) -> Iterator[int]:
    """The smallest, a part, and the last digits (a law of ``n % 100``)."""
    yield from range(min(SCANNED_MAX, distance))
    yield distance // 2
    yield distance - distance // 4
    for base in (10, 2):
        modulus = base
        while modulus < distance:
            yield distance % modulus
            modulus *= base


def _floats(node: ChoiceNode) -> Iterator[float]:
    value: float = node.value
    if not math.isfinite(value):
        yield from (0.0, 1.0, -1.0, 2.0**53, -(2.0**53), 1e308, -1e308, -value)
        return
    whole = int(value)
    yield from map(float, range(SCANNED_MAX if abs(whole) > 1 else 2))
    yield abs(value)
    signed = -1 if value < 0 else 1
    for shorter in _shorter_distances(abs(whole)):
        yield float(signed * shorter)
    yield from (float(whole), float(whole + 1), float(whole - 1))
    for bits in range(1, FRACTION_BITS_MAX + 1):
        scale = 2**bits
        if abs(whole) < 2**40:  # else nothing is left of the fraction
            yield from (math.floor(value * scale) / scale, math.ceil(value * scale) / scale)


def _texts(node: ChoiceNode) -> Iterator[str]:
    text: str = node.value
    yield from _cut(text)
    if len(text) > CHARACTERS_MAX:
        return
    for character in dict.fromkeys(text):
        places = [place for place, each in enumerate(text) if each == character]
        for rank in _ranks(node.rank_of(character)):
            simpler = node.simplest_character(rank)
            yield text.replace(character, simpler)
            yield from (text[:place] + simpler + text[place + 1 :] for place in places)
    ordered = sorted(text, key=node.rank_of)
    yield "".join(ordered)


def _ranks(rank: int) -> list[int]:
    tried = (0, 1, 2, rank // 2, rank - rank // 4, rank - 2, rank - 1)
    return [each for each in dict.fromkeys(tried) if 0 <= each < rank]


def _bytes(node: ChoiceNode) -> Iterator[bytes]:
    raw: bytes = node.value
    yield from _cut(raw)
    if len(raw) > CHARACTERS_MAX:
        return
    for place, byte in enumerate(raw):
        for smaller in _ranks(byte):
            yield raw[:place] + bytes([smaller]) + raw[place + 1 :]
    yield bytes(sorted(raw))


def _cut(value: Any) -> Iterator[Any]:
    """Without a part: all of it, halves, quarters … and each single character."""
    length = len(value)
    while length >= 1:
        for start in range(0, len(value), length):
            yield value[:start] + value[start + length :]
        length //= 2


_PROPOSALS: dict[type, Any] = {
    bool: _booleans,
    int: _integers,
    float: _floats,
    str: _texts,
    bytes: _bytes,
}


def nearby(nodes: Sequence[ChoiceNode]) -> Iterator[Choices]:
    """The choices, with one number a little further from its simplest, or one nearer."""
    yield from _with_another_number(nodes, _nearby)


def further(nodes: Sequence[ChoiceNode]) -> Iterator[Choices]:
    """The choices, with one number of a small range further from its simplest."""
    yield from _with_another_number(nodes, _further)


def _with_another_number(
    nodes: Sequence[ChoiceNode], others: Callable[[ChoiceNode], Iterable[int]]
) -> Iterator[Choices]:
    choices = tuple(node.value for node in nodes)
    if len(choices) > CHOICES_MAX:
        return
    for place, node in enumerate(nodes):
        if _is_integer(node.value):
            for other in others(node):
                yield (*choices[:place], other, *choices[place + 1 :])


def _nearby(node: ChoiceNode) -> list[int]:
    distance = node.value - node.target
    sign = -1 if distance < 0 else 1
    more = (1, 2, abs(distance), abs(node.value))
    greater = [node.value + sign * each for each in dict.fromkeys(more) if each]
    return [*greater, node.value - sign] if distance else greater


def _further(node: ChoiceNode) -> Iterable[int]:
    low, high = node.constraints["min_value"], node.constraints["max_value"]
    if low is None or high is None or high - low > SCANNED_MAX:
        return ()
    return range(node.value + 1, high + 1) if node.value >= node.target else ()


def merged(kept: Step, gone: Step) -> Iterator[tuple[str, Choices]]:
    """For each argument of ``kept``: its choices with those of ``gone`` added, number by number.

    Or with those of ``gone`` behind them, which is both lists in one: the choices of a list end
    with a False that says that there are no more elements. Texts and bytes are joined.
    """
    for name, argument in kept.arguments.items():
        other = gone.arguments.get(name)
        if other is None:
            continue
        mine, theirs = choices_of(argument), choices_of(other)
        if len(mine) > 1 and mine[-1] is False and theirs:
            yield name, (*mine[:-1], *theirs)
        if len(mine) == len(theirs) and any(map(_adds_up, mine, theirs)):
            pairs = zip(mine, theirs, strict=True)
            yield name, tuple(one + two if _adds_up(one, two) else one for one, two in pairs)


def _adds_up(one: Any, two: Any) -> bool:
    if isinstance(one, bool) or isinstance(two, bool):
        return False
    return type(one) is type(two) and (not isinstance(one, float) or math.isfinite(one + two))


def _is_integer(choice: object) -> bool:
    return isinstance(choice, int) and not isinstance(choice, bool)
