"""Addresses of this network, and the exceptions that the kernel's error codes become."""

from __future__ import annotations

import os
import socket

__all__ = ["UNBOUND", "Address", "is_ipv4", "socket_error"]

Address = tuple[str, int]

UNBOUND: Address = ("0.0.0.0", 0)


def socket_error(code: int, about: str = "") -> OSError:
    """The exception the kernel's ``code`` becomes in Python (ConnectionResetError and so on)."""
    return OSError(code, about + os.strerror(code))


def is_ipv4(host: str) -> bool:
    """Whether it is an IPv4 address in numbers."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True
