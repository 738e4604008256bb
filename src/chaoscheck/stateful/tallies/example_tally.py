"""What one example counts: which law runs, what it judges and skips, of which faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from chaoscheck.stateful.tallies.run_tally import IN_RULES, FaultsOfExample, LawTally, RunTally

__all__ = ["ExampleTally", "effects_in_words"]

NONE: frozenset[str] = frozenset()


class ExampleTally:
    """Counts one example into ``run``, and keeps which of its faults were judged.

    Laws are checked in rounds: all that are due at one settled instant, during which no fault
    can have an effect. ``begin_law`` and ``end_law`` surround each; ``end_round`` ends them.
    """

    __slots__ = (
        "_exempt",
        "_implied",
        "_law",
        "_named",
        "_named_now",
        "_round",
        "_run",
        "_spoke",
        "declared",
    )

    def __init__(self, run: RunTally) -> None:
        self._run = run
        self.declared = frozenset(run.declared)
        self._law: LawTally | None = None
        # Of the law that runs now: whether it named a case, the faults that it named as judged,
        # and those that it exempts; None is all of them.
        self._spoke = False
        self._named_now: Counter[str] = Counter()
        self._exempt: frozenset[str] | None = NONE
        # What all laws of this round exempt; None: none of them judged anything by implication.
        self._round: frozenset[str] | None = None
        self._implied: Counter[str] = Counter()
        self._named: Counter[str] = Counter()

    # ------------------------------------------------------------------ laws

    def begin_law(self, name: str) -> None:
        """This law is checked now."""
        law = self._law = self._run.law(name)
        law.checked += 1
        self._spoke = False
        self._exempt = NONE
        if self._named_now:  # the law before broke
            self._named_now.clear()

    def end_law(self) -> None:
        """The law ran to its end without a complaint."""
        law, self._law = self._law, None
        assert law is not None
        if not self._spoke:
            law.judged += 1
        if self._named_now:
            _raise_to(self._named, self._named_now)
            self._named_now.clear()
        elif self._exempt is not None:
            self._round = self._exempt if self._round is None else self._round & self._exempt

    def end_round(self, hits: Callable[[], Mapping[str, int]]) -> None:
        """Every law that is due now has run; ``hits`` tells what had an effect so far."""
        exempt, self._round = self._round, None
        if exempt is not None:
            _raise_to(self._implied, {k: n for k, n in hits().items() if k not in exempt})

    def not_due(self, name: str, why: str) -> None:
        """This law could not be checked now."""
        law = self._run.law(name)
        if not law.checked:
            law.why_never = why

    # ------------------------------------------------------------------ what laws say

    def judged(self, faults: Iterable[str]) -> None:
        """One case was judged, which met these faults."""
        self._spoke = True
        if self._law is None:
            self._run.law(IN_RULES).judged += 1
            self._named.update(faults)
        else:
            self._law.judged += 1
            self._named_now.update(faults)

    def skipped(self, reason: str, faults: Iterable[str]) -> None:
        """One case was not judged; with ``faults``, only what these did to it was not."""
        law = self._law
        if law is None:
            law = self._run.law(IN_RULES)
            law.skipped[reason] += 1
            return
        law.skipped[reason] += 1
        these = frozenset(faults)
        if self._exempt is not None:
            self._exempt = self._exempt | these if these else None
        self._spoke = self._spoke or not these

    # ------------------------------------------------------------------ the end

    def end(
        self, injected: Mapping[str, int], hits: Mapping[str, int], *, failed: bool, lawless: bool
    ) -> None:
        """The example is over. A machine without laws judges in its rules: it passed them all."""
        implied = hits if lawless and not failed else self._implied
        faults = FaultsOfExample(injected=injected, hits=hits, implied=implied, named=self._named)
        self._run.add(faults, failed=failed)


def _raise_to(counts: Counter[str], others: Mapping[str, int]) -> None:
    """Let each count be at least what it is in ``others``."""
    for name, count in others.items():
        if count > counts[name]:
            counts[name] = count


def effects_in_words(injected: Mapping[str, int], hits: Mapping[str, int]) -> list[str]:
    """For each fault that was injected, whether it had an effect: an event of Hypothesis's."""
    return [
        f"{kind}: {_effect(count, hits.get(kind, 0))}"
        for kind, count in sorted(injected.items())
        if count > 0
    ]


def _effect(injected: int, hits: int) -> str:
    # In words: a refusal may have many effects, so that a count of those without would be negative.
    return "had its effect" if hits >= injected else "partly" if hits > 0 else "without effect"
