"""What every network of a world can do: carry bytes between hosts, and misbehave when told.

Links lie between everyone and one host; faults take the host's name and raise WorldError if
there is no such host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import trio

from chaoscheck.history.link_fault import LinkFault
from chaoscheck.world.network.resolver import VirtualResolver

__all__ = ["Network", "OpenConnection", "OpenSocket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSocket:
    """A socket that nobody has closed: its number, what it is, and the task that opened it."""

    number: int
    what: str
    opened_by: str

    def __str__(self) -> str:
        return f"socket {self.number}, {self.what}, opened by {self.opened_by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenConnection:
    """A connection that is not over; each side is ``open``, ``dead`` or ``closed``."""

    number: int
    host: str
    port: int
    client: str
    server: str


class Network(Protocol):
    """Hosts, links and faults, whatever carries the bytes."""

    #: Answers look-ups of host names, in trio and in sync code.
    resolver: VirtualResolver

    def install(self) -> None:
        """Let the trio run that is open now use this network; it ends with that run."""

    def add_host(self, name: str) -> str:
        """Register a host name; its IPv4 address. Idempotent."""

    async def listen(self, host: str, port: int) -> Sequence[trio.abc.Listener[Any]]:
        """Listen on a registered host; port 0 is the next free one."""

    def cut(self, host: str) -> None:
        """Hold all bytes to and from ``host``, without an error, until healed."""

    def refuse(self, host: str) -> None:
        """Refuse new connections to ``host`` until healed."""

    def heal(self, host: str) -> None:
        """Undo ``cut`` and ``refuse``."""

    def heal_all(self) -> None:
        """Heal every host that needs it."""

    def reset(self, host: str) -> int:
        """Reset each established connection of ``host``; how many."""

    def half_close(self, host: str) -> int:
        """The host's side of each established connection sends FIN; how many."""

    def set_latency(self, host: str, low_s: float, high_s: float) -> None:
        """Bytes to and from ``host`` take low_s to high_s seconds."""

    def served_hosts(self) -> tuple[str, ...]:
        """The hosts on which something has listened so far, in the order of registering."""

    def set_window(self, window_bytes: int, host: str | None = None) -> None:
        """How many bytes each direction of a connection holds unread before its sender waits."""

    def connections(self) -> list[OpenConnection]:
        """Connections that are not over, by number."""

    @property
    def injected(self) -> Counter[str]:
        """How often each link fault was asked for."""

    @property
    def hits(self) -> Counter[str]:
        """How often each link fault held, refused or ended something."""

    @property
    def link_faults(self) -> list[LinkFault]:
        """Every link fault so far, each with the times between which it could be felt."""

    def fall_silent(self) -> None:
        """The world begins to close: nothing new is carried or drawn."""

    def close(self) -> None:
        """The world is closed: nothing of this network stays."""
