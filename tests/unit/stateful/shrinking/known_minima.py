"""Small machines whose shortest story is known, and the calls over which that can be enumerated."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import trio
from hypothesis import strategies as st
from hypothesis.stateful import Bundle

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import invariant, rule

__all__ = ["MINIMA", "Call", "KnownMinimum"]

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMinimum:
    """A machine and the calls of its shortest story.

    No sequence of ``calls`` that is shorter fails, and none of the same length that is simpler:
    a test enumerates them.
    """

    machine: type[ChaosMachine]
    story: Sequence[Call]
    calls: Sequence[Call]


class Summing(ChaosMachine):
    """Adds up; the law is asked at the end only, so that stories are as long as they get."""

    total = 0

    def add(self, amount: int) -> None:
        self.total += amount


class AlwaysOneMore(Summing):
    """Each rule but one adds 1 modulo 7, so that five calls of any do."""

    @rule()
    def eight(self) -> None:
        self.add(8)

    @rule()
    def fifteen(self) -> None:
        self.add(15)

    @rule()
    def minus_six(self) -> None:
        self.add(-6)

    @rule()
    def nothing(self) -> None:
        """A step that adds nothing, so that runs of equal length end differently."""

    @rule()
    def one(self) -> None:
        self.add(1)

    @invariant(healed=True)
    def not_five(self) -> None:
        assert self.total % 7 != 5


class InTasks(Summing):
    """The same in async rules."""

    @rule()
    async def one(self) -> None:
        await trio.lowlevel.checkpoint()
        self.add(1)

    @rule()
    async def ten(self) -> None:
        await trio.sleep(1)
        self.add(10)

    @invariant(healed=True)
    def not_five(self) -> None:
        assert self.total % 11 != 6


class DifferentSteps(Summing):
    """Two of one rule do what four of the other do."""

    @rule()
    def six(self) -> None:
        self.add(6)

    @rule()
    def three(self) -> None:
        self.add(3)

    @invariant(healed=True)
    def not_five(self) -> None:
        assert self.total % 7 != 5


class TwoRules(ChaosMachine):
    """A word of two rules, of which neither alone will do."""

    ups = downs = 0

    @rule()
    def down(self) -> None:
        self.downs += 1

    @rule()
    def up(self) -> None:
        self.ups += 1

    @invariant(healed=True)
    def not_three_and_two(self) -> None:
        assert (self.ups % 4, self.downs % 3) != (3, 2)


class InARow(ChaosMachine):
    """The fourth failure in a row."""

    streak = 0

    @rule()
    def fail(self) -> None:
        self.streak += 1

    @rule()
    def succeed(self) -> None:
        self.streak = 0

    @invariant()
    def open_circuit(self) -> None:
        assert self.streak < 4


class Taking(ChaosMachine):
    """A rule that takes a value; ``wrong`` says which break the law."""

    wrong: ClassVar[Any]

    def judge(self, value: Any) -> None:
        assert not type(self).wrong(value)


def taking(
    name: str, strategy: Any, wrong: Any, least: Any, simpler: Sequence[Any]
) -> KnownMinimum:
    """One rule with one argument: the least value that is wrong, and the simpler ones."""

    def take(self: Taking, value: Any) -> None:
        self.judge(value)

    machine = type(
        name, (Taking,), {"wrong": staticmethod(wrong), "take": rule(value=strategy)(take)}
    )
    calls = [("take", {"value": value}) for value in (*simpler, least)]
    return KnownMinimum(machine=machine, story=calls[-1:], calls=calls)


class Store(ChaosMachine):
    """A key that is put and then got, if it is no small one."""

    def setup(self) -> None:
        self.keys: set[int] = set()

    @rule(key=st.integers(0, 100))
    def put(self, key: int) -> None:
        self.keys.add(key)

    @rule(key=st.integers(0, 100))
    def get(self, key: int) -> None:
        assert key not in self.keys or key < 10


class Pair(ChaosMachine):
    """Two arguments that share a sum."""

    @rule(first=st.integers(0, 100), second=st.integers(0, 100))
    def both(self, first: int, second: int) -> None:
        assert first + second < 30


class Difference(ChaosMachine):
    """Two arguments, and a law of their difference."""

    @rule(first=st.integers(0, 100), second=st.integers(0, 100))
    def both(self, first: int, second: int) -> None:
        assert first - second != 5


class Handles(ChaosMachine):
    """Three handles that are open at once."""

    handles = Bundle("handles")

    def setup(self) -> None:
        self.open: set[int] = set()
        self.count = 0

    @rule(target=handles)
    def opened(self) -> int:
        self.count += 1
        self.open.add(self.count)
        return self.count

    @rule(handle=handles)
    def close(self, handle: int) -> None:
        self.open.discard(handle)

    @invariant()
    def few(self) -> None:
        assert len(self.open) < 3


def _plain(*rules: str) -> list[Call]:
    return [(each, {}) for each in rules]


def _pairs(upto: int) -> list[Call]:
    return [
        ("both", {"first": one, "second": other})
        for one in range(upto + 1)
        for other in range(upto + 1)
    ]


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


BIG = 10**12

MINIMA = [
    KnownMinimum(
        machine=AlwaysOneMore,
        story=_plain("eight") * 5,
        calls=_plain("eight", "fifteen", "minus_six", "nothing", "one"),
    ),
    KnownMinimum(machine=InTasks, story=_plain("ten") * 5, calls=_plain("one", "ten")),
    KnownMinimum(machine=DifferentSteps, story=_plain("six") * 2, calls=_plain("six", "three")),
    KnownMinimum(
        machine=TwoRules, story=_plain("down", "down", "up", "up", "up"), calls=_plain("down", "up")
    ),
    KnownMinimum(machine=InARow, story=_plain("fail") * 4, calls=_plain("fail", "succeed")),
    KnownMinimum(machine=Handles, story=_plain("opened") * 3, calls=_plain("opened")),
    KnownMinimum(
        machine=Store,
        story=[("put", {"key": 10}), ("get", {"key": 10})],
        calls=[(name, {"key": key}) for name in ("put", "get") for key in range(11)],
    ),
    KnownMinimum(machine=Pair, story=[("both", {"first": 0, "second": 30})], calls=_pairs(30)),
    KnownMinimum(machine=Difference, story=[("both", {"first": 5, "second": 0})], calls=_pairs(5)),
    taking("BigIntegers", st.integers(), lambda n: n >= BIG, BIG, [0, 1, -BIG, BIG - 1, 1 - BIG]),
    taking("Negative", st.integers(), lambda n: n <= -1000, -1000, [*range(1001), *range(-999, 0)]),
    taking("Residue", st.integers(0, 10**6), lambda n: n % 100 == 37, 37, range(37)),
    taking("FromTen", st.integers(10, 500), lambda n: n > 12, 13, [10, 11, 12]),
    taking("BelowZero", st.integers(-500, -10), lambda n: n < -12, -13, [-10, -11, -12]),
    taking("AFraction", st.floats(0, 1), lambda x: 0.3 <= x < 0.9, 0.5, [0.0, 1.0]),
    taking("AnyFraction", st.floats(-1, 1), lambda x: 0 < abs(x) < 1, 0.5, [0.0, 1.0, -1.0]),
    taking("WholeIfItCan", st.floats(0, 100), lambda x: x > 2.25, 3.0, [0.0, 1.0, 2.0]),
    taking("NegativeFloat", st.floats(-10, 10), lambda x: x < -0.01, -1.0, [0.0, 1.0, 10.0, 0.5]),
    taking("NotANumber", st.floats(), math.isnan, math.nan, [0.0, math.inf, -math.inf]),
    taking("LongText", st.text(), lambda text: len(text) > 2, "000", ["", "0", "00", "01"]),
    taking("ALetter", st.text(), lambda text: "b" in text, "b", ["", "0", "1", "a"]),
    taking("Twice", st.text(), lambda t: len(t) != len(set(t)), "00", ["", "0", "1", "z"]),
    taking(
        "Bytes", st.binary(), lambda raw: len(raw) > 1 and raw[-1] > 199, b"\0\xc8", [b"", b"\0"]
    ),
    taking("ALongList", st.lists(st.integers(0, 50)), lambda v: sum(v) > 19, [20], [[], [0], [19]]),
    taking(
        "SmallParts", st.lists(st.integers(0, 5)), lambda v: sum(v) > 19, [5] * 4, [[], [5] * 3]
    ),
    taking(
        "Again", st.lists(st.integers()), lambda v: len(v) != len(set(v)), [0, 0], [[], [0], [1]]
    ),
    taking(
        "Nested",
        st.lists(st.lists(st.integers(0, 9))),
        lambda rows: any(len(row) > 1 for row in rows),
        [[0, 0]],
        [[], [[]], [[0]], [[], []]],
    ),
    taking(
        "Mapping",
        st.dictionaries(st.text(max_size=3), st.integers(0, 99)),
        lambda table: any(value > 6 for value in table.values()),
        {"": 7},
        [{}, {"": 0}, {"": 6}],
    ),
    taking(
        "Either",
        st.one_of(st.none(), st.integers(0, 99), st.text()),
        lambda value: value is not None and value != 0 and isinstance(value, int),
        1,
        [None, 0],
    ),
    taking("OneOf", st.sampled_from("abcdef"), lambda each: each > "c", "d", ["a", "b", "c"]),
    taking(
        "Dates",
        st.dates(),
        lambda day: day >= _day("2010-01-01"),
        _day("2010-01-01"),
        [_day("2000-01-01"), _day("2009-12-31")],
    ),
]
