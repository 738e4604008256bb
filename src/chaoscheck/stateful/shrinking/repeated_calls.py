"""Repeated calls: proposals that make the same few calls in the place of many different ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, product

from chaoscheck.plan.program import Program, Step

# Theory of operation. Where a law depends on a count (``total % 7 != 5``, the third failure in a
# row), no step of a long story can go alone: each one shifts the count. But a few calls of one
# rule often reach the same count. So the calls that the program once held are the letters of an
# alphabet, and shorter programs over it are tried: one call n times over, two calls n and m times,
# then every short word over few letters, the shortest first. Where the alphabet is small, that is
# all there is, and the shortest story is known to be the shortest. At the end each step by itself
# is another call, so that stories of equal length are told equally.
#
# Initialize rules stay, in front. Calls that refer to what another step made are no letters. A
# program with holds is a race: there the other bold passes do better, at a smaller price.

__all__ = ["one_call_repeated", "repeated_calls"]

LETTERS_MAX = 8
LETTERS_OF_WORDS_MAX = 4  # there are n ** length words of n letters
REPEATS_MAX = 20  # of one call
BLOCKS_MAX = 60  # proposals of two calls
WORDS_MAX = 120  # short words


def one_call_repeated(
    program: Program, removable: Sequence[Step], alphabet: Sequence[Step]
) -> Iterator[Program]:
    """One call of ``alphabet``, n times over, in the place of all ``removable`` steps, of more."""
    for count in range(1, min(len(removable) - 1, REPEATS_MAX) + 1):
        for letter in alphabet[:LETTERS_MAX]:
            yield _written(program, removable, [letter] * count)


def repeated_calls(
    program: Program, removable: Sequence[Step], alphabet: Sequence[Step]
) -> Iterator[Program]:
    """Programs over ``alphabet`` that have fewer steps than ``program``, or other ones.

    They take the place of the ``removable`` steps.
    """
    yield from one_call_repeated(program, removable, alphabet)
    letters = alphabet[:LETTERS_OF_WORDS_MAX]
    longest = len(removable) - 1
    blocks, words = _blocks(letters, longest), _words(letters, longest)
    for word in chain(islice(blocks, BLOCKS_MAX), islice(words, WORDS_MAX)):
        yield _written(program, removable, word)
    for step in removable:
        for letter in alphabet[:LETTERS_MAX]:
            yield _with_one(program, step, letter)


def _blocks(letters: Sequence[Step], longest: int) -> Iterator[Sequence[Step]]:
    """One call n times, then another m times."""
    for total in range(2, longest + 1):
        for first, second in product(letters, letters):
            for count in range(1, total) if first is not second else ():
                yield [first] * count + [second] * (total - count)


def _words(letters: Sequence[Step], longest: int) -> Iterator[Sequence[Step]]:
    for count in range(2, longest + 1):
        yield from product(letters, repeat=count)


def _written(program: Program, removable: Sequence[Step], word: Sequence[Step]) -> Program:
    bare = replace(program.without([step.number for step in removable]), holds=())
    start = 1 + max((step.number for step in program.steps), default=0)
    steps = (replace(letter, number=start + place) for place, letter in enumerate(word))
    return replace(bare, steps=(*bare.steps, *steps))


def _with_one(program: Program, step: Step, letter: Step) -> Program:
    steps = (replace(letter, number=s.number) if s is step else s for s in program.steps)
    return replace(program, steps=tuple(steps))
