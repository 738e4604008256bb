"""Socket options: remembered as given. The few that mean something here have a property."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

from chaoscheck.world.network.window import WINDOW_BYTES

__all__ = ["LINGER", "SocketOptions", "is_abortive"]

_INT = struct.Struct("i")
LINGER = struct.Struct("ii")  # struct linger: l_onoff, l_linger in seconds

_DEFAULTS: dict[tuple[int, int], bytes] = {
    (socket.SOL_SOCKET, socket.SO_LINGER): LINGER.pack(0, 0),
    (socket.SOL_SOCKET, socket.SO_SNDBUF): _INT.pack(WINDOW_BYTES),
    (socket.SOL_SOCKET, socket.SO_RCVBUF): _INT.pack(WINDOW_BYTES),
}
_UNSET = _INT.pack(0)


class SocketOptions:
    """The options of one socket, as the bytes the kernel would hold."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], bytes] = {}

    def set(self, level: int, name: int, value: int | Buffer) -> None:
        """Remember an option; an integer is a C int."""
        self._values[level, name] = _INT.pack(value) if isinstance(value, int) else bytes(value)

    def get(self, level: int, name: int) -> bytes:
        """What was set, else the default, which is the integer 0 for most."""
        key = level, name
        return self._values.get(key) or _DEFAULTS.get(key, _UNSET)

    @property
    def reuses_address(self) -> bool:
        """SO_REUSEADDR."""
        return any(self.get(socket.SOL_SOCKET, socket.SO_REUSEADDR))

    @property
    def resets_on_close(self) -> bool:
        """SO_LINGER switched on with 0 seconds: close sends RST. Other times close at once."""
        linger = self.get(socket.SOL_SOCKET, socket.SO_LINGER)
        return len(linger) >= LINGER.size and is_abortive(linger)


def is_abortive(linger: bytes) -> bool:
    """Whether a value of SO_LINGER is switched on with 0 seconds."""
    on, seconds = LINGER.unpack_from(linger)
    return bool(on) and seconds == 0
