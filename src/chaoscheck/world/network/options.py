"""Socket options: remembered as given. The few that mean something here have a property."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

from chaoscheck.world.network.window import WINDOW_BYTES, buffer_for

__all__ = ["LINGER", "SocketOptions", "is_abortive"]

_INT = struct.Struct("i")
LINGER = struct.Struct("ii")  # struct linger: l_onoff, l_linger in seconds

_Key = tuple[int, int]
_SEND_BUFFER: _Key = (int(socket.SOL_SOCKET), int(socket.SO_SNDBUF))
_RECEIVE_BUFFER: _Key = (int(socket.SOL_SOCKET), int(socket.SO_RCVBUF))
# The least that Linux gives: SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF.
_LEAST = {_SEND_BUFFER: 4_608, _RECEIVE_BUFFER: 2_304}
_DEFAULTS: dict[_Key, bytes] = {
    (socket.SOL_SOCKET, socket.SO_LINGER): LINGER.pack(0, 0),
    _SEND_BUFFER: _INT.pack(WINDOW_BYTES),
    _RECEIVE_BUFFER: _INT.pack(WINDOW_BYTES),
}
_UNSET = _INT.pack(0)


class SocketOptions:
    """The options of one socket, as the bytes the kernel would hold."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[_Key, bytes] = {}

    def copy(self) -> SocketOptions:
        """What accept gives the socket that it makes (sk_clone_lock)."""
        copied = SocketOptions()
        copied._values = dict(self._values)
        return copied

    def set(self, level: int, name: int, value: int | Buffer) -> None:
        """Remember an option; an integer is a C int."""
        key = level, name
        data = _INT.pack(value) if isinstance(value, int) else bytes(value)
        if key in _LEAST and len(data) >= _INT.size:
            data = _INT.pack(buffer_for(_INT.unpack_from(data)[0], least=_LEAST[key]))
        self._values[key] = data

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

    @property
    def sets_buffers(self) -> bool:
        """Whether SO_SNDBUF or SO_RCVBUF was set."""
        return _SEND_BUFFER in self._values or _RECEIVE_BUFFER in self._values

    @property
    def send_buffer_bytes(self) -> int | None:
        """How much data SO_SNDBUF has room for, None if it was not set."""
        return self._room(_SEND_BUFFER)

    @property
    def receive_buffer_bytes(self) -> int | None:
        """How much data SO_RCVBUF has room for, None if it was not set."""
        return self._room(_RECEIVE_BUFFER)

    def _room(self, key: _Key) -> int | None:
        stored = self._values.get(key)
        if stored is None or len(stored) < _INT.size:
            return None
        size: int = _INT.unpack_from(stored)[0]
        return size // 2


def is_abortive(linger: bytes) -> bool:
    """Whether a value of SO_LINGER is switched on with 0 seconds."""
    on, seconds = LINGER.unpack_from(linger)
    return bool(on) and seconds == 0
