"""HostLink: what lies between everyone and one host, whatever carries the bytes.

It holds what a fault sets (cut, refusal, latency) and counts what faults did. How bytes travel,
and so what a cut holds and what a heal lets go, is for the links of each network to say.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter

from chaoscheck.errors import PlanError
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock

__all__ = ["HostLink"]

# What is sent takes the shortest time, the longest, or one of two between. Packets are many, and
# more values would find no more races but make failing stories much slower to shrink.
_LATENCIES = 4


class HostLink(ABC):
    """Everything between the other nodes and ``host``: latency, cut, refusal."""

    def __init__(self, host: str, *, clock: VirtualClock, choices: Choices) -> None:
        self.host = host
        self.clock = clock
        self.is_cut = False
        self.refuses = False
        self.is_instant = True
        self.cuts = 0
        # Faults of this link by name: asked for, and seen to hold, refuse or end something.
        self.injected: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self._cut_felt = 0
        self._choices = choices
        self._label = f"net.latency {host}"
        self._low_s = 0.0
        self._high_s = 0.0

    def set_latency(self, low_s: float, high_s: float) -> None:
        """What is sent takes ``low_s`` to ``high_s`` seconds each way (PlanError if not legal)."""
        if not (math.isfinite(high_s) and 0 <= low_s <= high_s):
            raise PlanError(
                f"latency of {self.host}: must be finite with 0 <= low_s <= high_s,"
                f" got {low_s!r} and {high_s!r}"
            )
        self._low_s, self._high_s = low_s, high_s
        self._update()

    def cut(self) -> None:
        """Hold whatever is sent from now on, and what is on its way, until healed."""
        if self.is_cut:
            return
        self.is_cut = True
        self.cuts += 1
        self.injected["cut"] += 1
        self._update()
        self._on_cut()

    def heal(self) -> None:
        """Undo ``cut`` and ``refuses``; what was held arrives now, in order."""
        self.refuses = False
        if not self.is_cut:
            return
        self.is_cut = False
        self._update()
        self._on_heal()

    def note_held(self) -> None:
        """Something met the cut: the cut has an effect, counted once."""
        if self._cut_felt < self.cuts:
            self._cut_felt = self.cuts
            self.hits["cut"] += 1

    def _draw_extra_s(self) -> float:
        """How much longer than the shortest time it takes; no draw where there is no choice."""
        if self._low_s == self._high_s:
            return 0.0
        late = self._choices.pick(self._label, _LATENCIES) / (_LATENCIES - 1)
        return (self._high_s - self._low_s) * late

    @abstractmethod
    def _on_cut(self) -> None:
        """Hold what is on its way."""

    @abstractmethod
    def _on_heal(self) -> None:
        """Let what was held arrive."""

    def _update(self) -> None:
        self.is_instant = not self.is_cut and self._high_s == 0
