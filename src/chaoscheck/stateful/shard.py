"""A shard: one of several tests that search a machine side by side, each its share, each afresh."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import Phase, core
from hypothesis import settings as Settings

from chaoscheck.errors import PlanError
from chaoscheck.report.commands import node_id, under_pytest
from chaoscheck.world.ambient import new_id

# Theory of operation. The shards of a machine have one database key, so that what one of them
# found is found again whatever their number. Each of them would then report the same failure:
# only one, the leader, begins with what was found before. The others begin to search at once.
#
# A run has one seed, and every search of it has one of its own that is made from that, the
# shard, and how many searches came before (for faults that were missed): else they would all
# draw the same examples. The first search of a machine that has no shards takes the run's seed
# as it is, as any test under Hypothesis does.

__all__ = ["WHOLE", "RunSeed", "Shard", "current_shard", "sharing"]

Seed = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The ``number``-th of ``count``, from 1. ``leads``: it replays what was found before.

    PlanError unless 1 ≤ number ≤ count.
    """

    number: int = 1
    count: int = 1
    leads: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise PlanError(f"a shard must be in [1, {self.count}], got {self.number}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def share_of(self, settings: Settings) -> Settings:
        """The same settings with a share of the examples, at least one; reuse for the leader only.

        The shares of all shards sum to ``max_examples``, if there are enough for each.
        """
        if self == WHOLE:
            return settings
        whole, rest = divmod(settings.max_examples, self.count)
        phases = [phase for phase in settings.phases if self.leads or phase is not Phase.reuse]
        share = max(1, whole + (self.number <= rest))
        return Settings(settings, max_examples=share, phases=phases)


WHOLE = Shard()

_current = WHOLE


def current_shard() -> Shard:
    """What the running test is of its machine; the whole unless ``sharing`` says otherwise."""
    return _current


@contextmanager
def sharing(shard: Shard) -> Iterator[None]:
    """A machine that runs meanwhile does the share of this shard."""
    global _current
    previous, _current = _current, shard
    try:
        yield
    finally:
        _current = previous


@dataclass(frozen=True, slots=True)
class RunSeed:
    """Where the searches of one run of a machine get their seeds.

    ``repeatable`` tells whether ``--hypothesis-seed`` leads to the same searches again.
    """

    base: Seed
    shard: Shard = WHOLE
    repeatable: bool = True

    @classmethod
    def of(cls, machine: Any, settings: Settings, key: str) -> RunSeed:
        """The seed of ``@seed``, of derandomizing, of ``--hypothesis-seed``, or a fresh one."""
        own: Seed | None = getattr(machine, "_hypothesis_internal_use_seed", None)
        if own is not None:
            return cls(own, current_shard(), repeatable=False)
        if settings.derandomize:
            return cls(key, current_shard(), repeatable=False)
        forced: Seed | None = core.global_force_seed
        # 32 random bits are enough to differ, and can be read aloud.
        return cls(int(new_id()[:8], 16) if forced is None else forced, current_shard())

    def of_search(self, number: int) -> Seed:
        """The seed of the run's search of this number, from 0."""
        if number == 0 and self.shard.count == 1:
            return self.base
        name = f"{self.base}, shard {self.shard}, search {number}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")

    def note_on(self, error: BaseException) -> None:
        """Say how to search from this seed again, unless every run of this machine does so."""
        if self.repeatable and under_pytest():
            error.add_note(
                f"Repeat this search: pytest '{node_id()}' --hypothesis-seed={self.base}"
            )
