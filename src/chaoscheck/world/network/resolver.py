"""The resolver of a virtual world: it knows the registered hosts and answers at once.

Numeric addresses never get here: trio resolves them itself.
"""

from __future__ import annotations

import socket
from socket import AddressFamily, SocketKind
from typing import Any, Literal

import trio

from chaoscheck.world.network.address import is_ipv4
from chaoscheck.world.network.hosts import ANY, LOOPBACK, Hosts

__all__ = ["VirtualResolver"]

_Entry4 = tuple[Literal[AddressFamily.AF_INET], SocketKind, int, str, tuple[str, int]]
_Entry6 = tuple[
    Literal[AddressFamily.AF_INET6],
    SocketKind,
    int,
    str,
    tuple[str, int, int, int] | tuple[int, bytes],
]

_SERVICES = {"http": 80, "https": 443}
_SERVICE_NAMES = {port: name for name, port in _SERVICES.items()}


class VirtualResolver(trio.abc.HostnameResolver):
    """trio's hostname resolver over ``Hosts``. Everything is IPv4."""

    def __init__(self, hosts: Hosts[Any]) -> None:
        self._hosts = hosts

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[_Entry4 | _Entry6]:
        """As ``socket.getaddrinfo``; gaierror EAI_NONAME for an unknown host."""
        await trio.lowlevel.checkpoint()
        return self.look_up(host, port, family, type, proto, flags)

    def look_up(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[_Entry4 | _Entry6]:
        """As ``getaddrinfo``, for sync code."""
        name = host.decode("ascii") if isinstance(host, bytes) else host
        if name is None:
            address: str | None = ANY if flags & socket.AI_PASSIVE else LOOPBACK
        else:
            address = None if flags & socket.AI_NUMERICHOST else self._hosts.address_of(name)
        if address is None or family not in (socket.AF_UNSPEC, socket.AF_INET):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        canonical = name or "" if flags & socket.AI_CANONNAME else ""
        kind = SocketKind(type) if type else SocketKind.SOCK_STREAM
        entry: _Entry4 = (
            AddressFamily.AF_INET,
            kind,
            proto or (socket.IPPROTO_TCP if kind is SocketKind.SOCK_STREAM else 0),
            canonical,
            (address, _port_number(port)),
        )
        return [entry]

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        """As ``socket.getnameinfo``: the registered name, else the address itself."""
        await trio.lowlevel.checkpoint()
        return self.name_of(sockaddr, flags)

    def name_of(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        """As ``getnameinfo``, for sync code; gaierror EAI_NONAME unless the address is numeric."""
        address, port = sockaddr[0], sockaddr[1]
        if not is_ipv4(address) and ":" not in address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        name = None if flags & socket.NI_NUMERICHOST else self._hosts.name_at(address)
        if name is None and flags & socket.NI_NAMEREQD:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        service = None if flags & socket.NI_NUMERICSERV else _SERVICE_NAMES.get(port)
        return name or address, service or str(port)

    def address_of(self, host: str) -> str:
        """The IPv4 address of a name, or of itself; gaierror EAI_NONAME for an unknown host."""
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            pass
        address = self._hosts.address_of(host)
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return address


def _port_number(port: bytes | str | int | None) -> int:
    if port is None:
        return 0
    text = port.decode("ascii") if isinstance(port, bytes) else str(port)
    if text.isdecimal():
        return int(text)
    if text not in _SERVICES:
        raise socket.gaierror(socket.EAI_SERVICE, "Servname not supported for ai_socktype")
    return _SERVICES[text]
