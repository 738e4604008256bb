"""Chance that is answered: random bytes, the seeds of generators, and this machine's number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaoscheck.world.patches.caller import created_by_stdlib
from chaoscheck.world.patches.here import here

__all__ = ["node", "random_bytes", "seed"]

_NODE = 0x02_00_00_00_00_01  # a locally administered MAC address: that of no machine
_SEED_BYTES = 16


def random_bytes(real: Callable[..., bytes]) -> Callable[..., bytes]:
    """``os.urandom`` and its like, from the world's own stream."""

    def answer(size: int, /, *flags: int) -> bytes:
        answers = here.answers
        return real(size, *flags) if answers is None else answers.random_bytes(size)

    return answer


def node(real: Callable[[], int]) -> Callable[[], int]:
    """``uuid.getnode``: the same on every machine, and no process is run for it."""

    def answer() -> int:
        return real() if here.answers is None else _NODE

    return answer


def seed(real: Callable[..., None]) -> Callable[..., None]:
    """``random.Random.seed``: without a seed it takes one of the world's.

    The standard library keeps generators of its own for as long as the process lives, for the
    names of temporary files; a world in which it makes one must not differ from the next.
    """

    def answer(self: Any, a: Any = None, version: int = 2) -> None:
        answers = here.answers
        if answers is not None and a is None and not created_by_stdlib(2, "random"):
            a = answers.random_bytes(_SEED_BYTES)
        real(self, a, version)

    return answer
