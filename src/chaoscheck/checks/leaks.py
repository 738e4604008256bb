"""Leaks: what is held afterwards must have been held before: tasks, sockets, descriptors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError

__all__ = ["Held", "Resources", "leaks"]

# What is held: how many, without names; or names, one for each; or how many of each name.
Held: TypeAlias = "int | Iterable[str] | Mapping[str, int]"

_UNNAMED = ""
_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What is held at one moment, as sorted (name, count); a count without names has none."""

    tasks: tuple[tuple[str, int], ...] = ()
    sockets: tuple[tuple[str, int], ...] = ()
    descriptors: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, *, tasks: Held = (), sockets: Held = (), descriptors: Held = ()) -> Resources:
        """The snapshot of these. PlanError for a negative count."""
        return cls(
            tasks=_counted("tasks", tasks),
            sockets=_counted("sockets", sockets),
            descriptors=_counted("descriptors", descriptors),
        )

    def kinds(self) -> Iterator[tuple[str, Counter[str]]]:
        """Each kind of resource with what is held of it."""
        yield "tasks", Counter(dict(self.tasks))
        yield "sockets", Counter(dict(self.sockets))
        yield "descriptors", Counter(dict(self.descriptors))


def leaks(before: Resources, after: Resources) -> Verdict:
    """Judge what is held ``after`` against ``before``; one breach for each kind that grew.

    Where both sides have names, each name is judged: one task gone and another left behind is a
    leak. PlanError if a kind is counted without names on one side and by name on the other.
    """
    breaches = []
    for (kind, held_before), (_, held_after) in zip(before.kinds(), after.kinds(), strict=True):
        if held_before and held_after and (_UNNAMED in held_before) != (_UNNAMED in held_after):
            raise PlanError(
                f"{kind} must be counted in one way before and after, got {dict(held_before)} "
                f"and {dict(held_after)}"
            )
        left = held_after - held_before
        if left:
            breaches.append(
                Breach(
                    law=f"{kind}_leak",
                    what=f"{left.total()} {kind} more than before{_names(left)}",
                    evidence=tuple(sorted(left.items())),
                )
            )
    return Verdict.of(tuple(breaches))


def _counted(kind: str, held: Held) -> tuple[tuple[str, int], ...]:
    counts = Counter({_UNNAMED: held}) if isinstance(held, int) else Counter(held)
    negative = {name: count for name, count in counts.items() if count < 0}
    if negative:
        raise PlanError(f"{kind} must be held at least 0 times, got {negative}")
    return tuple(sorted((name, count) for name, count in counts.items() if count))


def _names(left: Counter[str]) -> str:
    named = [f"{name} x{n}" if n > 1 else name for name, n in sorted(left.items()) if name]
    if not named:
        return ""
    more = f" and {len(named) - _SHOWN_MAX} other names" if len(named) > _SHOWN_MAX else ""
    return f": {', '.join(named[:_SHOWN_MAX])}{more}"
