"""Link faults as the network carried them out: what, where, and how long each could be felt."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LinkFault"]


class LinkFault(NamedTuple):
    """One ``cut``, ``refuse``, ``reset`` or ``half_close`` of the link to ``host``.

    Times are seconds of the world's clock. ``until_s`` is the last instant at which something
    of it may arrive at either end; infinite while a cut or a refusal lasts. A reset or a FIN
    arrives within the link's longest latency so far, or when a cut that held it is healed.
    """

    name: str
    host: str
    from_s: float
    until_s: float

    def overlaps(self, from_s: float, until_s: float) -> bool:
        """Whether something that lasted from ``from_s`` to ``until_s`` may have felt it."""
        return from_s <= self.until_s and self.from_s <= until_s
