"""Mutants that no test can tell from the original, each with the reason; and seeded samples."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mutations import Mutant

__all__ = ["of", "sampled", "stale"]

_FILE = Path(__file__).with_name("equivalent.toml")


def of(component: str) -> dict[str, str]:
    """The names of a component's equivalent mutants, each with why it is one."""
    known: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8")).get(component, {})
    return known


def stale(mutants: Mapping[str, Sequence[Mutant]]) -> list[str]:
    """Listed names that no mutant of these components has."""
    return [
        f"{component}: {name}"
        for component, its in mutants.items()
        for name in of(component).keys() - {mutant.name for mutant in its}
    ]


def sampled(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` of them by ``seed``, in their order; one that is added moves no other."""

    def lot(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed}\n{mutant.name}".encode()).hexdigest()

    drawn = {mutant.name for mutant in sorted(mutants, key=lot)[:count]}
    return [mutant for mutant in mutants if mutant.name in drawn]
