"""An anchor: a small subject with a bug on which other tools have been measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Anchor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One wrong subject in its machine, the same machine around the right one, and its minimum.

    ``law`` names the invariant that must fall, ``smallest_steps`` the steps of the shortest story
    that makes it fall. ``pools`` holds, for each argument that a rule takes (rule, argument), the
    values with which every shorter story is tried; they contain those that the machine's
    docstring calls the ones that matter.
    """

    name: str
    what: str
    machine: type[Any]
    sound: type[Any]
    law: str
    smallest_steps: int
    pools: Mapping[tuple[str, str], tuple[int, ...]]
