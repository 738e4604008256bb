"""HostLink: what lies between everyone and one host, whatever carries the bytes.

It holds what a fault sets (cut, refusal, latency) and counts what faults did. How bytes travel,
and so what a cut holds and what a heal lets go, is for the links of each network to say.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter

from chaoscheck.errors import PlanError
from chaoscheck.history.link_fault import LinkFault
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.window import WINDOW_BYTES

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
        self.window_bytes = WINDOW_BYTES  # of each direction of a connection made from now on
        self.cuts = 0
        # Faults of this link by name: asked for, and seen to hold, refuse or end something.
        self.injected: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self._cut_felt = 0
        # Link faults in the order in which they began; heal ends those that last.
        self.faults: list[LinkFault] = []
        self._slowest_s = 0.0  # the longest latency there ever was
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
        self._slowest_s = max(self._slowest_s, high_s)
        self._update()

    def cut(self) -> None:
        """Hold whatever is sent from now on, and what is on its way, until healed."""
        if self.is_cut:
            return
        self.is_cut = True
        self.cuts += 1
        self.injected["cut"] += 1
        self._begin("cut", math.inf)
        self._update()
        self._on_cut()

    def refuse(self) -> None:
        """Refuse whoever connects from now on, until healed."""
        if not self.refuses:
            self._begin("refuse", math.inf)
        self.refuses = True
        self.injected["refuse"] += 1

    def note_signal(self, fault: str, ended: int) -> None:
        """``fault`` (reset, half_close) sent a signal over so many connections, now."""
        self.injected[fault] += 1
        self.hits[fault] += bool(ended)
        if ended:
            self._begin(fault, math.inf if self.is_cut else self.clock.now + self._slowest_s)

    def heal(self) -> None:
        """Undo ``cut`` and ``refuse``; what was held arrives now, in order."""
        if self.is_cut or self.refuses:
            self._end_faults()
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

    def _begin(self, fault: str, until_s: float) -> None:
        self.faults.append(LinkFault(fault, self.host, self.clock.now, until_s))

    def _end_faults(self) -> None:
        """What lasted ends now; a signal that a cut held arrives now."""
        now = self.clock.now
        lasting = (each.from_s for each in self.faults if each.until_s == math.inf)
        cut_s = min(lasting, default=now) if self.is_cut else math.inf
        for place, fault in enumerate(self.faults):
            if fault.until_s == math.inf:
                # What was on its way when it was cut may still be, for as long as it would take.
                until_s = max(now, fault.from_s + self._slowest_s)
            elif fault.until_s >= cut_s:
                until_s = max(now, fault.until_s)
            else:
                continue
            self.faults[place] = fault._replace(until_s=until_s)

    @abstractmethod
    def _on_cut(self) -> None:
        """Hold what is on its way."""

    @abstractmethod
    def _on_heal(self) -> None:
        """Let what was held arrive."""

    def _update(self) -> None:
        self.is_instant = not self.is_cut and self._high_s == 0
