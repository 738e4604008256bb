"""TcpSocket: one socket as the kernel keeps it; any number of descriptors may stand for it.

Every operation is one attempt: its answer, or None where the kernel says EAGAIN. No task, no
checkpoint. The connection ends when the last descriptor is closed.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from collections.abc import Callable
from operator import index
from socket import AddressFamily
from typing import Any, Protocol

from chaoscheck.world.network.address import UNBOUND, Address, socket_error
from chaoscheck.world.network.options import SocketOptions
from chaoscheck.world.network.virtual.connection import Endpoint
from chaoscheck.world.network.virtual.handshake import Handshake
from chaoscheck.world.network.virtual.listener import VirtualListener

__all__ = ["Descriptor", "TcpNetwork", "TcpSocket"]

# Theory of operation. ``_phase`` is Linux's socket->state. A non-blocking connect leaves it
# CONNECTING even after the handshake is over: the *next* connect reports how that ended, with 0
# once (then EISCONN) or with its error once (then the socket is unconnected again and may try
# anew). trio, and every loop over select, never asks a second time: they take SO_ERROR instead.

_INT = struct.Struct("i")
# Plain integers: operators of the enum are ten times slower, and this is the hot path.
_PEEK = int(stdlib.MSG_PEEK)
# Neither has a meaning here: Python has no SIGPIPE, and no attempt ever blocks.
_NO_EFFECT = int(getattr(stdlib, "MSG_NOSIGNAL", 0)) | int(getattr(stdlib, "MSG_DONTWAIT", 0))
_SHUT_READING = (stdlib.SHUT_RD, stdlib.SHUT_RDWR)
_SHUT_WRITING = (stdlib.SHUT_WR, stdlib.SHUT_RDWR)
# What the kernel answers for each of our sockets; two of these names exist on Linux only.
_DOMAIN = getattr(stdlib, "SO_DOMAIN", None)
_PROTOCOL = getattr(stdlib, "SO_PROTOCOL", None)


class Descriptor(Protocol):
    """What stands for a socket in a process."""

    def input_changed(self) -> None:
        """A receive or accept may have another answer now."""

    def room_changed(self) -> None:
        """A send or connect may have another answer now."""


class TcpNetwork(Protocol):
    """What a socket asks of its network."""

    def bind(self, bound: Any, address: Address) -> Address:
        """Bind a socket; the address with its port. OSError EADDRNOTAVAIL, EADDRINUSE."""

    def listen_at(self, listening: TcpSocket, address: Address, backlog: int) -> VirtualListener:
        """The queue of a socket that starts to listen; OSError EADDRINUSE."""

    def dial(self, dialling: TcpSocket, target: Address, on_done: Callable[[], None]) -> Handshake:
        """A handshake with ``target``, not yet begun; OSError EHOSTUNREACH, ENETDOWN."""

    def release(self, closed: Any) -> None:
        """The last descriptor of a socket was closed: its port is free again."""


class TcpSocket:
    """A TCP socket of the virtual network, without the descriptors that stand for it."""

    def __init__(
        self,
        network: TcpNetwork,
        *,
        family: AddressFamily = AddressFamily.AF_INET,
        proto: int = 0,
    ) -> None:
        self.family = family  # AF_UNIX of a socket pair
        self.proto = proto
        self.bound: Address | None = None
        self.listener: VirtualListener | None = None
        self.endpoint: Endpoint | None = None
        self.handshake: Handshake | None = None  # while it is under way
        self.options = SocketOptions()
        self.descriptors: list[Descriptor] = []
        self._network = network
        self._phase = "unconnected"
        self._connect_error = 0  # of a handshake that failed, until it is reported
        self._connect_failed = False

    @property
    def reuses_address(self) -> bool:
        """Whether SO_REUSEADDR is set."""
        return self.options.reuses_address

    @property
    def is_readable(self) -> bool:
        """Whether ``receive_now`` or ``accept_now`` would answer at once."""
        if self.endpoint is not None:
            return self.endpoint.is_readable
        if self.listener is not None:
            return self.listener.is_readable
        return self.handshake is None  # an unconnected TCP socket polls POLLHUP

    @property
    def is_writable(self) -> bool:
        """Whether ``send_now`` would answer at once, and a connect is over (tcp_poll)."""
        if self.endpoint is not None:
            return self.endpoint.is_writable
        return self.handshake is None and self.listener is None

    def local_address(self) -> Address:
        """The own (address, port)."""
        if self.endpoint is not None:
            return self.endpoint.address
        return self.bound or UNBOUND

    @property
    def accepted_from(self) -> Address:
        """Where the connection comes from, even if its peer is gone by now."""
        return UNBOUND if self.endpoint is None else self.endpoint.peer_address

    def peer_address(self) -> Address:
        """The peer's (address, port); OSError ENOTCONN without a peer, or after a reset."""
        if self.endpoint is None or not self.endpoint.is_connected:
            raise socket_error(errno.ENOTCONN)
        return self.endpoint.peer_address

    # What the process does.

    def bind_now(self, address: Address) -> None:
        """Bind to a numeric address; OSError EINVAL if it is bound, and as the network."""
        if self.bound is not None or self.endpoint is not None:
            raise socket_error(errno.EINVAL)
        self.bound = self._network.bind(self, address)

    def listen_now(self, backlog: int) -> None:
        """Accept connections from now on; OSError EADDRINUSE, or EINVAL when connected."""
        if self.endpoint is not None or self.handshake is not None:
            raise socket_error(errno.EINVAL)
        if self.listener is not None:
            self.listener.set_backlog(backlog)
            return
        if self.bound is None:
            self.bind_now(UNBOUND)
        self.listener = self._network.listen_at(self, self.local_address(), backlog)
        self.listener.on_readable = self._input_changed

    def accept_now(self) -> Endpoint | None:
        """The connection that waits longest; OSError EINVAL if it does not listen."""
        if self.listener is None:
            raise socket_error(errno.EINVAL)
        return self.listener.take()

    def connect_now(self, target: Address) -> bool:
        """Begin to connect: False (EINPROGRESS). Asked again, how it ended: True once.

        Raises OSError EISCONN, EALREADY; EHOSTUNREACH, ENETDOWN; and once the error of a
        connect that failed: ECONNREFUSED, ETIMEDOUT, or ECONNABORTED if that was reported.
        """
        if self._phase == "connecting":
            return self._conclude()
        if self._phase == "connected" or self.endpoint is not None or self.listener is not None:
            raise socket_error(errno.EISCONN)
        handshake = self._network.dial(self, target, self._on_answer)
        if self.bound is None:
            self.bound = handshake.source
        self._phase, self.handshake = "connecting", handshake
        self._connect_failed = False
        handshake.begin()
        return False

    def _conclude(self) -> bool:
        if self.handshake is not None:
            raise socket_error(errno.EALREADY)
        if self.endpoint is not None and self.endpoint.is_connected:
            self._phase = "connected"
            return True
        code = self.take_error() or errno.ECONNABORTED
        self._phase, self._connect_failed = "unconnected", False  # tcp_disconnect
        if self.endpoint is not None:
            self.endpoint.close()
            self.endpoint = None
        raise socket_error(code)

    def receive_now(self, limit: int, flags: int) -> bytes | None:
        """Up to ``limit`` bytes, b"" at the end; OSError as the kernel. MSG_PEEK is known."""
        limit = index(limit)  # TypeError for anything that is not an integer, as CPython
        if limit < 0:
            raise ValueError("negative buffersize in recv")
        if flags & ~(_PEEK | _NO_EFFECT):
            raise socket_error(errno.EOPNOTSUPP, "of the flags only MSG_PEEK is simulated: ")
        if self.endpoint is None:
            return self._receive_unconnected()
        return self.endpoint.read(limit, peek=bool(flags & _PEEK))

    def _receive_unconnected(self) -> bytes | None:
        if self.handshake is not None:
            return None
        if self._connect_error:
            raise socket_error(self.take_error())
        if self._connect_failed:  # tcp_done shut it down before anybody could ask
            return b""
        raise socket_error(errno.ENOTCONN)

    def send_now(self, data: memoryview, flags: int) -> int | None:
        """Send what the window takes; how many bytes. OSError EPIPE, ECONNRESET, ETIMEDOUT."""
        if flags & ~_NO_EFFECT:
            raise socket_error(errno.EOPNOTSUPP, "no flag of send is simulated: ")
        if self.endpoint is not None:
            return self.endpoint.write(data)
        if self.handshake is not None:
            return None
        # sk_stream_wait_connect in state CLOSE
        raise socket_error(self.take_error() or errno.EPIPE)

    def shut_down(self, flag: int) -> None:
        """End one or both directions; OSError ENOTCONN without a living connection."""
        endpoint = self.endpoint
        if endpoint is not None and endpoint.is_connected:
            if flag in _SHUT_READING:
                endpoint.shut_down_reading()
            if flag in _SHUT_WRITING:
                endpoint.shut_down_writing()
        elif self.listener is None:
            raise socket_error(errno.ENOTCONN)
        elif flag in _SHUT_READING:  # inet_shutdown: it no longer listens, accept gives EINVAL
            self._stop_listening()

    def let_go(self, descriptor: Descriptor) -> None:
        """A descriptor is closed; with the last one the socket ends."""
        self.descriptors.remove(descriptor)
        if self.descriptors:
            return
        if self.handshake is not None:
            self.handshake.abandon()
            self.handshake = None
        self._stop_listening()
        self._network.release(self)
        if self.endpoint is not None:
            self.endpoint.close(abortive=self.options.resets_on_close)

    # Options.

    def get_option(self, level: int, name: int) -> bytes:
        """The value as the kernel's bytes; OSError EOPNOTSUPP for what a pair does not have."""
        self._require_level(level)
        answer = self._kernel_option(name) if level == stdlib.SOL_SOCKET else None
        return self.options.get(level, name) if answer is None else _INT.pack(answer)

    def set_option(self, level: int, name: int, value: Any) -> None:
        """Remember it; SO_LINGER, SO_REUSEADDR, SO_SNDBUF and SO_RCVBUF have their effect."""
        self._require_level(level)
        self.options.set(level, name, value)
        if self.endpoint is not None:
            self._apply_buffers(self.endpoint)

    def take_error(self) -> int:
        """The error that no call has reported yet, 0 if there is none (SO_ERROR)."""
        if self.endpoint is not None:
            return self.endpoint.take_error()
        code, self._connect_error = self._connect_error, 0
        return code

    def _require_level(self, level: int) -> None:
        if level != stdlib.SOL_SOCKET and self.family != stdlib.AF_INET:
            raise socket_error(errno.EOPNOTSUPP)

    def _kernel_option(self, name: int) -> int | None:
        if name == stdlib.SO_ERROR:
            return self.take_error()
        if name == stdlib.SO_ACCEPTCONN:
            return int(self.listener is not None)
        is_tcp = self.family == stdlib.AF_INET
        fixed = {
            stdlib.SO_TYPE: int(stdlib.SOCK_STREAM),
            _DOMAIN: int(self.family),
            _PROTOCOL: int(stdlib.IPPROTO_TCP) if is_tcp else 0,
        }
        return fixed.get(name)

    def _apply_buffers(self, endpoint: Endpoint) -> None:
        endpoint.set_buffers(self.options.send_buffer_bytes, self.options.receive_buffer_bytes)

    # What the network reports.

    def attach(self, endpoint: Endpoint) -> None:
        """This socket is now one side of an established connection."""
        self.endpoint = endpoint
        endpoint.on_readable = self._input_changed
        endpoint.on_writable = self._room_changed
        if self.options.sets_buffers:
            self._apply_buffers(endpoint)

    def accepted(self, endpoint: Endpoint, options: SocketOptions) -> None:
        """It was made by accept: connected, with the options of its listener."""
        self._phase, self.options = "connected", options.copy()
        self.attach(endpoint)

    def _on_answer(self) -> None:
        handshake, self.handshake = self.handshake, None
        if handshake is not None and handshake.endpoint is not None:
            self.attach(handshake.endpoint)
        elif handshake is not None:
            self._connect_error, self._connect_failed = handshake.error, True
        self._room_changed()
        self._input_changed()

    def _input_changed(self) -> None:
        for descriptor in self.descriptors:
            descriptor.input_changed()

    def _room_changed(self) -> None:
        for descriptor in self.descriptors:
            descriptor.room_changed()

    def _stop_listening(self) -> None:
        if self.listener is not None:
            listener, self.listener = self.listener, None
            listener.close()
            self._input_changed()
