"""What makes a socket of the standard library the world's: the patches while a world is open.

``escapes`` puts them in place. Each looks up the virtual network of its own thread and leaves
everything as it is where there is none, as in a loopback world, whose sockets are real.
"""

from __future__ import annotations

import _socket
import errno
import socket as stdlib
import ssl
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import trio._core._run as trio_run
import trio._socket as trio_socket

from chaoscheck.world.network.address import socket_error
from chaoscheck.world.network.virtual.current import current
from chaoscheck.world.network.virtual.std_socket import MODE_BITS, StdSocket
from chaoscheck.world.patches.here import Patch, escape, here

__all__ = ["PATCHES"]

# Theory of operation. ``socket.socket.__new__`` is what every way of making a socket comes to:
# ``socket.socket()``, a name bound early, a subclass, ``socket.create_server``. In a world it
# gives a StdSocket, which is a ``socket.socket``, so that isinstance and ``except`` clauses hold.
# Of a subclass it gives an instance of that subclass with StdSocket below it: its overridden
# methods stay, and what they call by ``super()`` is the world's.
#
# trio takes such a socket by ``from_stdlib_socket``, which makes a ``_SocketType``: here that is
# the world's own trio socket. ``trio.lowlevel.wait_readable`` and its like end in the I/O manager
# of the run: for a descriptor of the world they wait in virtual time.


def _new(real: Any) -> Any:
    def make(cls: type[Any], *args: Any, **kwargs: Any) -> Any:
        network = current.network
        if network is None or issubclass(cls, StdSocket):
            return _socket.socket.__new__(cls, *args, **kwargs)
        number = kwargs.get("fileno", args[3] if len(args) > 3 else None)
        if number is not None and network.socket_at(number) is None:
            return _socket.socket.__new__(cls, *args, **kwargs)  # a descriptor of the kernel
        if issubclass(cls, ssl.SSLSocket):
            network.report_escape("ssl.SSLSocket, which blocks (use trio.SSLStream),")
        of_world: Any = _of_world
        return _socket.socket.__new__(of_world(cls))

    return staticmethod(make)


@cache
def _of_world(cls: Any) -> Any:
    """``cls`` over the world's sockets instead of the kernel's."""
    if cls is stdlib.socket:
        return StdSocket
    return type(cls.__name__, (cls, StdSocket), {"__module__": cls.__module__})


def _fromfd(real: Callable[..., Any]) -> Callable[..., Any]:
    def answer(fd: int, family: int, type: int, proto: int = 0) -> Any:
        network = current.network
        found = None if network is None else network.socket_at(fd)
        if found is None:
            return real(fd, family, type, proto)
        return StdSocket.over(found.dup(), timeout=stdlib.getdefaulttimeout())

    return answer


_REAL_PAIR = stdlib.socketpair


def _socketpair(real: Callable[..., Any]) -> Callable[..., Any]:
    def answer(
        family: int | None = None, type: int = stdlib.SOCK_STREAM, proto: int = 0
    ) -> tuple[Any, Any]:
        network = current.network
        if network is None:
            return cast("tuple[Any, Any]", real(family, type, proto))
        if sys._getframe(1).f_globals.get("__name__") == "asyncio.selector_events":
            return _REAL_PAIR()  # a loop's own wake-up; a loop that would wait by it is reported
        if family not in (None, stdlib.AF_UNIX):
            raise socket_error(errno.EOPNOTSUPP)
        if type & ~MODE_BITS != stdlib.SOCK_STREAM:
            network.report_escape(f"a pair of sockets of type {type!r} (only SOCK_STREAM can),")
        left, right = network.pair()
        timeout = stdlib.getdefaulttimeout()
        return StdSocket.over(left, timeout=timeout), StdSocket.over(right, timeout=timeout)

    return answer


def _trio_socket(real: type[Any]) -> Callable[[Any], Any]:
    def answer(sock: Any) -> Any:
        if type(sock) is not StdSocket:
            return real(sock)
        sock.setblocking(False)
        return sock.virtual

    return answer


def _waiting(method: str) -> Callable[[Any], Any]:
    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        async def answer(manager: Any, fd: Any) -> None:
            network = current.network
            found = None if network is None else network.socket_at(fd)
            if found is None:
                await real(manager, fd)
            else:
                await getattr(found, method)()

        return answer

    return wrap


def _notify_closing(real: Callable[..., Any]) -> Callable[..., Any]:
    def answer(manager: Any, fd: Any) -> None:
        network = current.network
        found = None if network is None else network.socket_at(fd)
        if found is None:
            real(manager, fd)
        else:
            found.notify_closing()

    return answer


def _beyond_loopback(name: str) -> Callable[[Any], Any]:
    """Refuse a socket of the kernel, unless the world has such and it stays on this machine."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def answer(self: Any, *args: Any) -> Any:
            if not _may_use_the_kernel(args[-1]):
                raise escape(f"a real socket ({name})")
            return real(self, *args)

        return answer

    return wrap


def _may_use_the_kernel(address: Any) -> bool:
    """Without a world; in one that has real sockets, on this machine."""
    answers = here.answers
    return answers is None or (answers.real_sockets and _is_loopback(address))


def _is_loopback(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) else ""
    return isinstance(host, str) and (host.startswith("127.") or host == "::1")


_IO_MANAGER = vars(trio_run)["TheIOManager"]  # of this platform

# What is patched while a world is open: owner, attribute, and what it becomes.
PATCHES = (
    Patch(stdlib.socket, "__new__", _new),
    Patch(stdlib, "fromfd", _fromfd),
    Patch(stdlib, "socketpair", _socketpair),
    Patch(trio_socket, "_SocketType", _trio_socket),
    Patch(_IO_MANAGER, "wait_readable", _waiting("wait_readable")),
    Patch(_IO_MANAGER, "wait_writable", _waiting("wait_writable")),
    Patch(_IO_MANAGER, "notify_closing", _notify_closing),
    Patch(stdlib.socket, "connect", _beyond_loopback("connect")),
    Patch(stdlib.socket, "connect_ex", _beyond_loopback("connect_ex")),
    Patch(stdlib.socket, "bind", _beyond_loopback("bind")),
    Patch(stdlib.socket, "sendto", _beyond_loopback("sendto")),
)
