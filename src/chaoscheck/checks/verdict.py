"""Verdict: what a check found, in three values, with the witness that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Self

from chaoscheck.errors import PlanError

__all__ = ["Breach", "Finding", "Verdict"]


class Finding(Enum):
    """OK: the law held. VIOLATED: it did not. UNKNOWN: what was seen does not decide it."""

    OK = "ok"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One place where a law did not hold, or could not be judged.

    ``law`` is a short stable name, ``what`` a sentence, ``evidence`` the values it speaks of.
    """

    law: str
    what: str
    evidence: tuple[object, ...] = ()

    def __str__(self) -> str:
        return f"{self.law}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A finding and its witness: the breaches, or what was missing; empty if and only if OK."""

    finding: Finding
    witness: tuple[Breach, ...] = ()

    def __post_init__(self) -> None:
        if (self.finding is Finding.OK) != (self.witness == ()):
            raise PlanError(
                f"a verdict has a witness unless it is OK, got {self.finding.name} with "
                f"{len(self.witness)} breaches"
            )

    @classmethod
    def of(cls, breaches: tuple[Breach, ...], undecided: tuple[Breach, ...] = ()) -> Self:
        """VIOLATED by ``breaches`` if there are any, else UNKNOWN by ``undecided``, else OK."""
        if breaches:
            return cls(finding=Finding.VIOLATED, witness=breaches)
        if undecided:
            return cls(finding=Finding.UNKNOWN, witness=undecided)
        return cls(finding=Finding.OK)

    @property
    def ok(self) -> bool:
        """Whether the law was judged and held."""
        return self.finding is Finding.OK

    @property
    def laws(self) -> frozenset[str]:
        """The names of the laws in the witness."""
        return frozenset(breach.law for breach in self.witness)

    def require(self) -> None:
        """Raise AssertionError with the whole verdict unless it is OK.

        UNKNOWN raises as well: a law that was not judged has not been kept.
        """
        __tracebackhide__ = True
        if self.finding is Finding.UNKNOWN:
            raise AssertionError(f"nothing was proven: {self}")
        if self.finding is Finding.VIOLATED:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        return "\n".join([self.finding.name, *(f"  {breach}" for breach in self.witness)])
