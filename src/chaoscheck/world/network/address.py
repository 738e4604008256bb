"""Addresses of this network, and the exceptions that the kernel's error codes become."""

from __future__ import annotations

import os

__all__ = ["Address", "socket_error"]

Address = tuple[str, int]


def socket_error(code: int, about: str = "") -> OSError:
    """The exception the kernel's ``code`` becomes in Python (ConnectionResetError and so on)."""
    return OSError(code, about + os.strerror(code))
