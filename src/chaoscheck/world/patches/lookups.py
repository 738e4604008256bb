"""Look-ups of host names by the standard library: the world's resolver answers them.

Numeric addresses need no resolver, so the real functions go on answering these.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from chaoscheck.world.network.resolver import VirtualResolver
from chaoscheck.world.patches.here import here

__all__ = ["getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo"]

# gethostbyname_ex and gethostbyaddr give a name, its aliases and its addresses.
_Entry = tuple[str, list[str], list[str]]


def getaddrinfo(real: Callable[..., Any]) -> Callable[..., Any]:
    """``socket.getaddrinfo``; gaierror EAI_NONAME for a host that the world does not know."""

    def answer(
        host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        resolver = _resolver()
        if resolver is None or host is None or flags & socket.AI_NUMERICHOST:
            return real(host, port, family, type, proto, flags)
        if _is_numeric(host):
            return real(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        return resolver.look_up(host, port, family, type, proto, flags)

    return answer


def gethostbyname(real: Callable[[str], str]) -> Callable[[str], str]:
    """``socket.gethostbyname``."""

    def answer(hostname: str, /) -> str:
        resolver = _resolver()
        return real(hostname) if resolver is None else resolver.address_of(hostname)

    return answer


def gethostbyname_ex(real: Callable[[str], _Entry]) -> Callable[[str], _Entry]:
    """``socket.gethostbyname_ex``: a host has one address and no aliases."""

    def answer(hostname: str, /) -> _Entry:
        resolver = _resolver()
        if resolver is None:
            return real(hostname)
        return hostname, [], [resolver.address_of(hostname)]

    return answer


def gethostbyaddr(real: Callable[[str], _Entry]) -> Callable[[str], _Entry]:
    """``socket.gethostbyaddr``: the name for an address, or for a name itself."""

    def answer(ip_address: str, /) -> _Entry:
        resolver = _resolver()
        if resolver is None:
            return real(ip_address)
        address = resolver.address_of(ip_address)
        name, _ = resolver.name_of((address, 0), socket.NI_NAMEREQD)
        return name, [], [address]

    return answer


def getnameinfo(real: Callable[..., Any]) -> Callable[..., Any]:
    """``socket.getnameinfo``."""

    def answer(sockaddr: Any, flags: int, /) -> Any:
        resolver = _resolver()
        return real(sockaddr, flags) if resolver is None else resolver.name_of(sockaddr, flags)

    return answer


def _resolver() -> VirtualResolver | None:
    return None if here.answers is None else here.answers.resolver


def _is_numeric(host: str | bytes) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False
