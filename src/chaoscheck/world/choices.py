"""Choices: the one source of everything undetermined.

Does this request fail, how long does a packet take, who runs next: whoever wonders asks the
world's ``Choices``. Value 0 always means *nothing odd*. Every decision is logged with a label,
so that the log alone replays the run (``ScriptedChoices``).
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from chaoscheck.errors import PlanError

__all__ = ["Choice", "Choices", "ScriptedChoices", "SeededChoices"]

_FRACTION_STEPS = 1024  # resolution of `fraction`: fine enough for delays, cheap to shrink

_NUMBER_BYTES = 8  # a BLAKE2b digest is eight numbers of 64 bits


class Choice(NamedTuple):
    """One logged decision: ``value`` in ``0 <= value < options``. Every draw makes one."""

    label: str
    options: int
    value: int


class Choices(ABC):
    """Answers every open question of a world and keeps the log of its answers."""

    def __init__(self) -> None:
        self.log: list[Choice] = []
        # A world sets this: it keeps an exception raised by a draw inside a tick, where raising
        # would tear down trio, and answers whether it did. The draw then gives 0.
        self.absorb: Callable[[BaseException], bool] = _absorb_nothing

    def derive(self, *keys: object) -> Choices:
        """The choices that decide about ``keys``: itself, unless streams can be kept apart."""
        return self

    def weigh_for(self, keys: tuple[object, ...], label: str, weights: Sequence[float]) -> int:
        """The first that ``derive(*keys)`` weighs: the fate of a request, for instance."""
        return self.derive(*keys).weigh(label, weights)

    def pick(self, label: str, options: int) -> int:
        """One of ``options`` equally likely values 0..options-1; a sole option costs no draw."""
        if options < 1:
            raise PlanError(f"{label}: options must be >= 1, got {options}")
        if options == 1:
            return 0
        value = self._pick(label, options)
        self.log.append(Choice(label, options, value))
        return value

    def weigh(self, label: str, weights: Sequence[float]) -> int:
        """0 with what is left of 1, or i with probability ``weights[i - 1]``.

        Where nothing is left of 1, the first possible i stands for *nothing odd*.
        """
        odds = _odds(tuple(weights))
        if odds is None:
            raise PlanError(
                f"{label}: weights must be in [0, 1] and sum to at most 1, got {list(weights)}"
            )
        certain, first, edges = odds
        if certain:
            return first  # no chance is left, so there is nothing to choose
        value = self._slice(label, weights, edges) or first
        self.log.append(Choice(label, len(weights) + 1, value))
        return value

    def fraction(self, label: str) -> float:
        """A number in [0, 1) in steps of 1/1024; 0 is the shortest."""
        return self.pick(label, _FRACTION_STEPS) / _FRACTION_STEPS

    def uniform(self, label: str, low: float, high: float) -> float:
        """A number in [low, high]; no draw when they are equal."""
        if not low <= high:
            raise PlanError(f"{label}: low must be <= high, got {low} and {high}")
        return low if low == high else low + (high - low) * self.fraction(label)

    @abstractmethod
    def _pick(self, label: str, options: int) -> int: ...

    def _slice(self, label: str, weights: Sequence[float], edges: list[float]) -> int:
        """``_weigh``, for those that can do with the ``edges`` of the slices alone."""
        return self._weigh(label, weights)

    @abstractmethod
    def _weigh(self, label: str, weights: Sequence[float]) -> int: ...


class SeededChoices(Choices):
    """Choices as a pure function of a seed: for stand-alone use and for tests.

    ``derive`` gives an independent stream that depends on its keys only, not on what was asked
    before it, so that each (request key, attempt) has the same fate under any arrival order.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    @cached_property
    def _random(self) -> random.Random:
        return random.Random(self.seed)

    def derive(self, *keys: object) -> SeededChoices:
        """An independent stream for ``keys`` (strings and integers)."""
        return _DerivedChoices(self._digest_of(keys))

    def weigh_for(self, keys: tuple[object, ...], label: str, weights: Sequence[float]) -> int:
        """The same without a stream in between, since a server asks it for every request."""
        odds = _odds(tuple(weights))
        if odds is None or type(self).derive is not SeededChoices.derive:
            return self.derive(*keys).weigh(label, weights)  # its own way, or what is wrong
        certain, first, edges = odds
        if certain:
            return first
        number = int.from_bytes(self._digest_of(keys)[-_NUMBER_BYTES:], "big")
        return _index(_as_point(number), weights, edges) or first

    def _digest_of(self, keys: tuple[object, ...]) -> bytes:
        return hashlib.blake2b(repr((self.seed, keys)).encode()).digest()

    def _pick(self, label: str, options: int) -> int:
        return self._random.randrange(options)

    def _weigh(self, label: str, weights: Sequence[float]) -> int:
        return index_of(self._point(), weights)

    def _slice(self, label: str, weights: Sequence[float], edges: list[float]) -> int:
        return _index(self._point(), weights, edges)

    def _point(self) -> float:
        return self._random.random()


class _DerivedChoices(SeededChoices):
    """A stream read from a digest, then from the digest of that one, and so on.

    A server derives one for each request and mostly draws once: seeding a generator for it would
    cost ten times as much as the digest.
    """

    def __init__(self, digest: bytes) -> None:
        self.log = []
        self.absorb = _absorb_nothing
        self.seed = int.from_bytes(digest[:_NUMBER_BYTES], "big")
        self._digest = digest
        self._left = len(digest)  # bytes of the digest that no number was made of yet

    def _number(self) -> int:
        if not self._left:
            self._digest = hashlib.blake2b(self._digest).digest()
            self._left = len(self._digest)
        end = self._left
        self._left = end - _NUMBER_BYTES
        return int.from_bytes(self._digest[self._left : end], "big")

    def _pick(self, label: str, options: int) -> int:
        # The high half of the product: even to within options / 2**64, without a division.
        return self._number() * options >> 64

    def _point(self) -> float:
        return _as_point(self._number())


class ScriptedChoices(Choices):
    """Replays logged values in order; 0 beyond the end, or where a value no longer fits."""

    def __init__(self, values: Iterable[int | Choice] = ()) -> None:
        super().__init__()
        self._values = [value.value if isinstance(value, Choice) else value for value in values]
        self._next = 0

    def _pick(self, label: str, options: int) -> int:
        at = self._next
        self._next = at + 1
        value = self._values[at] if at < len(self._values) else 0
        return value if 0 <= value < options else 0

    def _weigh(self, label: str, weights: Sequence[float]) -> int:
        value = self._pick(label, len(weights) + 1)
        return value if value == 0 or weights[value - 1] > 0 else 0


def _absorb_nothing(error: BaseException) -> bool:
    return False


def index_of(point: float, weights: Sequence[float]) -> int:
    """Which slice of [0, 1) holds ``point``: i + 1 for weights[i], 0 for the remainder.

    The remainder comes first, so that a small point means nothing odd.
    """
    odds = _odds(tuple(weights))
    assert odds is not None
    return _index(point, weights, odds[2])


def _as_point(number: int) -> float:
    return (number >> 11) * 2.0**-53  # of 64 bits, a float holds 53


def _index(point: float, weights: Sequence[float], edges: list[float]) -> int:
    index = bisect.bisect_right(edges, point)
    if index <= len(weights):
        return index
    return max((i for i, weight in enumerate(weights, start=1) if weight > 0), default=0)


@functools.lru_cache(maxsize=512)
def _odds(weights: tuple[float, ...]) -> tuple[bool, int, list[float]] | None:
    """What follows from weights alone; None if they are none. A plan asks the same ones always.

    Whether there is nothing to choose; what a draw of 0 means, which is another slice where
    nothing is left of 1; the upper edges of the slices, the remainder first.
    """
    total = sum(weights)  # not a number if one of them is none
    if not (min(weights, default=0.0) >= 0 and total <= 1 + 1e-9):
        return None
    first = 0
    if total >= 1 - 1e-9:  # "nothing odd" is not among what may happen
        first = next(index for index, weight in enumerate(weights, start=1) if weight > 0)
    certain = total == 0 or (first > 0 and weights[first - 1] >= 1 - 1e-9)
    return certain, first, list(itertools.accumulate(weights, initial=1.0 - total))
