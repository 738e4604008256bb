"""StdSocket: the standard library's ``socket.socket`` over a socket of the virtual network.

It never waits: a call that would have to raises BlockingIOError in non-blocking mode, as on any
host, and is an Escape in blocking mode or with a time-out, since it would stop the whole world.
"""

from __future__ import annotations

import _socket
import errno
import socket as stdlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, Self

from chaoscheck.world.network.address import socket_error
from chaoscheck.world.network.buffers import gather, scatter, size_of, views_of
from chaoscheck.world.network.virtual.current import current

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from chaoscheck.world.network.virtual.socket import VirtualSocket

__all__ = ["MODE_BITS", "StdSocket"]

_NON_BLOCKING = getattr(stdlib, "SOCK_NONBLOCK", 0)
MODE_BITS = _NON_BLOCKING | getattr(stdlib, "SOCK_CLOEXEC", 0)  # flags, not part of the type
_Ancillary = list[tuple[int, int, bytes]]


class StdSocket(stdlib.socket):
    """A non-blocking TCP socket of the world that is open in this thread."""

    _virtual: VirtualSocket | None  # None once it was detached
    _timeout: float | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Without a descriptor of the kernel."""
        return _socket.socket.__new__(cls)

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        # The base class would open a socket of the kernel: it is not initialised.
        network = current.network
        if network is None:
            raise RuntimeError("no virtual world is open in this thread")
        kind = stdlib.SOCK_STREAM if type == -1 else type & ~MODE_BITS
        found = None if fileno is None else network.socket_at(fileno)
        if found is None:
            found = network.socket(
                stdlib.AF_INET if family == -1 else family, kind, 0 if proto == -1 else proto
            )
        non_blocking = type != -1 and type & _NON_BLOCKING
        self._stand_for(found, 0.0 if non_blocking else stdlib.getdefaulttimeout())

    @classmethod
    def over(cls, virtual: VirtualSocket, *, timeout: float | None = 0.0) -> Self:
        """One that stands for a socket which exists already."""
        made = cls.__new__(cls)
        made._stand_for(virtual, timeout)
        return made

    def _stand_for(self, virtual: VirtualSocket, timeout: float | None) -> None:
        self._virtual = virtual
        self._timeout = timeout
        self._io_refs = 0  # two attributes of the base class, which counts open files
        self._closed = False

    @property
    def virtual(self) -> VirtualSocket:
        """The world's socket; OSError EBADF once it was detached."""
        if self._virtual is None:
            raise socket_error(errno.EBADF)
        return self._virtual

    # Identity.

    @property
    def family(self) -> stdlib.AddressFamily:
        """AF_INET, and AF_UNIX of a socket pair."""
        return stdlib.AF_INET if self._virtual is None else self._virtual.family

    @property
    def type(self) -> stdlib.SocketKind:
        """Always SOCK_STREAM."""
        return stdlib.SocketKind.SOCK_STREAM

    @property
    def proto(self) -> int:
        """As it was made: 0 unless TCP was named."""
        return 0 if self._virtual is None else self._virtual.proto

    def __repr__(self) -> str:
        return f"<socket.socket {self._virtual!r}>"

    def fileno(self) -> int:
        """A real descriptor that polls readable when this socket is; -1 when closed."""
        return -1 if self._virtual is None else self._virtual.fileno()

    def getsockname(self) -> Any:
        """The own (address, port)."""
        return self.virtual.getsockname()

    def getpeername(self) -> Any:
        """The peer's (address, port); OSError ENOTCONN without one."""
        return self.virtual.getpeername()

    def get_inheritable(self) -> bool:
        """Remembered only."""
        return self.virtual.get_inheritable()

    def set_inheritable(self, inheritable: bool) -> None:
        """Remembered only."""
        self.virtual.set_inheritable(inheritable)

    def getsockopt(self, *level_name_length: Any) -> Any:
        """As ``socket.getsockopt``."""
        return self.virtual.getsockopt(*level_name_length)

    def setsockopt(self, *level_name_value: Any) -> None:
        """As ``socket.setsockopt``."""
        self.virtual.setsockopt(*level_name_value)

    # Mode.

    def settimeout(self, value: float | None, /) -> None:
        """0 is non-blocking; anything else is remembered, and an Escape where it would wait."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = value

    def setblocking(self, flag: bool, /) -> None:
        """As ``socket.setblocking``."""
        self._timeout = None if flag else 0.0

    def gettimeout(self) -> float | None:
        """Seconds, 0.0 if non-blocking, None if blocking."""
        return self._timeout

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        """Whether it is not in non-blocking mode."""
        return self._timeout != 0.0

    def _would_block(self, call: str, code: int = errno.EAGAIN) -> NoReturn:
        if self._timeout != 0.0 and current.network is not None:
            current.network.report_escape(
                f"a blocking socket ({call}), which stops the whole world"
                " (use trio's sockets or streams, or setblocking(False)),"
            )
        raise socket_error(code)

    # Opening and closing.

    def bind(self, address: Any, /) -> None:
        """Bind to a host of this world, 0.0.0.0 or 127.0.0.1."""
        network = current.network
        self.virtual.bind_now(address if network is None else network.resolve_now(address))

    def listen(self, backlog: int = min(stdlib.SOMAXCONN, 128), /) -> None:
        """Accept connections from now on."""
        self.virtual.listen(backlog)

    def accept(self) -> tuple[stdlib.socket, Any]:
        """The next connection and where it comes from; BlockingIOError if there is none."""
        accepted = self.virtual.accept_now()
        if accepted is None:
            self._would_block("accept")
        made = StdSocket.over(accepted, timeout=stdlib.getdefaulttimeout())
        return made, accepted.tcp.accepted_from

    def connect(self, address: Any, /) -> None:
        """Begin to connect: BlockingIOError EINPROGRESS. Asked again, how it ended."""
        if self._timeout != 0.0:  # whatever the latency: a connect always waits
            self._would_block("connect")
        if not self.virtual.connect_now(address):
            self._would_block("connect", errno.EINPROGRESS)

    def connect_ex(self, address: Any, /) -> int:
        """``connect``, with the error code as its result."""
        try:
            self.connect(address)
        except stdlib.gaierror:
            raise
        except OSError as error:
            return error.errno or 0
        return 0

    def shutdown(self, how: int, /) -> None:
        """End one or both directions."""
        self.virtual.shutdown(how)

    def dup(self) -> StdSocket:
        """Another descriptor of the same socket."""
        return StdSocket.over(self.virtual.dup(), timeout=self._timeout)

    def detach(self) -> int:
        """Forget the descriptor without closing it; its number."""
        number = self.fileno()
        self._closed = True
        self._virtual = None
        return number

    def _real_close(self, *_: object) -> None:
        # What the base class calls when no file made of this socket is open any more.
        if self._virtual is not None:
            self._virtual.close()

    # Receiving.

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Up to ``bufsize`` bytes; b"" at the end."""
        return b"" if bufsize == 0 else self._receive("recv", bufsize, flags)

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """``recv`` into ``buffer``; how many bytes."""
        with memoryview(buffer).cast("B") as view:
            return scatter(self.recv(size_of(view, nbytes), flags), [view])

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """``recv``; no address on TCP."""
        return self._receive("recvfrom", bufsize, flags), None

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """``recv_into``; no address on TCP."""
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, _Ancillary, int, Any]:
        """(data, no ancillary data, no flags, no address)."""
        return self._receive("recvmsg", bufsize, flags), [], 0, None

    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, _Ancillary, int, Any]:
        """``recvmsg`` that fills the buffers one after the other."""
        views = views_of(buffers)
        data = self._receive("recvmsg_into", sum(map(len, views)), flags)
        return scatter(data, views), [], 0, None

    def _receive(self, call: str, limit: int, flags: int) -> bytes:
        data = self.virtual.receive_now(limit, flags)
        if data is None:
            self._would_block(call)
        return data

    # Sending.

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send what the window takes; how many bytes."""
        count = self.virtual.send_now(data, flags)
        if count is None:
            self._would_block("send")
        return count

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Send all of it; BlockingIOError, with a part sent, once the window is full."""
        with memoryview(data).cast("B") as view:
            start = 0
            while start < len(view):
                start += self.send(view[start:], flags)

    def sendto(self, data: Buffer, *flags_and_address: Any) -> int:
        """``send``: on TCP the address has no effect."""
        return self.send(data, flags_and_address[0] if len(flags_and_address) > 1 else 0)

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """``send`` of the buffers one after the other; OSError EINVAL with ancillary data."""
        if list(ancdata):
            raise socket_error(errno.EINVAL)
        return self.send(gather(buffers), flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """ValueError in non-blocking mode, as ``socket.sendfile``."""
        if self._timeout != 0.0:
            self._would_block("sendfile")
        raise ValueError("non-blocking sockets are not supported")
