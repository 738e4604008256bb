"""The Host header of a request: RFC 9112, section 3.2, with the grammar of RFC 3986, 3.2.2."""

from __future__ import annotations

import functools
import ipaddress
import re

__all__ = ["host_mistake"]

_PORT_MAX = 65_535
_NAME = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_FUTURE_ADDRESS = re.compile(rb"v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+", re.IGNORECASE)
_PARTS = re.compile(rb"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,9}))?")


def host_mistake(value: bytes | None, version: str, *, repeated: bool) -> str | None:
    """What is wrong with a request's Host; None if nothing is.

    ``value`` is None without that header, which only HTTP/1.0 allows. An empty one is legal: it
    says that the target has no authority.
    """
    if repeated:
        return "a request must have one Host header, got more"
    if value is None:
        return None if version == "1.0" else "an HTTP/1.1 request must have a Host header"
    return (
        None
        if _is_legal(value)
        else f"Host must be a host with or without a port, got {value[:100]!r}"
    )


@functools.lru_cache(maxsize=64)
def _is_legal(value: bytes) -> bool:
    parts = _PARTS.fullmatch(value)
    if parts is None or (parts[2] and int(parts[2]) > _PORT_MAX):
        return False
    host = parts[1]
    if not host.startswith(b"["):
        return _NAME.fullmatch(host) is not None
    return _is_address(host[1:-1])


def _is_address(literal: bytes) -> bool:
    if _FUTURE_ADDRESS.fullmatch(literal):
        return True
    try:
        return ipaddress.IPv6Address(literal.decode("ascii")).scope_id is None
    except ValueError:
        return False
