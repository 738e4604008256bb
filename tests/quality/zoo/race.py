"""A race of the zoo: a small subject with one planted race, and what finding it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Race"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """One subject with a race, in the machine that must show it, and its fixed twin.

    ``machine`` runs the wrong subject, ``sound`` is the same machine around the right one.
    ``law`` names the invariant that must fall. ``smallest_steps`` and ``smallest_holds`` count
    the program and the deviations from first come, first served of the shortest failing story;
    the machine's docstring argues why there is none shorter. ``plain_finds`` says whether
    plain Hypothesis with trio's own order of tasks, one schedule a program, finds it at all.
    ``fair_holds`` is how many holds the shortest story needs that a present trio can show, where
    that is more; a machine whose race has no such story says ``schedules = "any"``.
    ``services`` are the tasks that the machine starts beside its operations.
    """

    name: str
    what: str
    machine: type[Any]
    sound: type[Any]
    law: str
    smallest_steps: int
    smallest_holds: int
    plain_finds: bool
    services: tuple[str, ...] = ()
    fair_holds: int | None = None

    @property
    def smallest_lines(self) -> int:
        """The steps and holds of the shortest story that is to be told, which is a fair one."""
        holds = self.smallest_holds if self.fair_holds is None else self.fair_holds
        return self.smallest_steps + holds
