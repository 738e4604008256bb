"""A quota of tokens in windows, as a pure step function over one owner.

A window begins with the first request that is admitted after the last one ended. A request is
admitted if what it reserves is left in its window, and then costs what it is charged; a refused
one costs nothing and is asked to wait for the window's end, unless it would never fit.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["UNUSED", "Ruling", "Window", "ask", "left"]

_EDGE_S = 1e-9  # instants are sums of binary fractions


class Window(NamedTuple):
    """When an owner's window began, and how many tokens of it are used."""

    began_s: float
    used: int


UNUSED = Window(float("-inf"), 0)


class Ruling(NamedTuple):
    """Whether a request is admitted; a refused one waits ``wait_s``, None if no wait will do."""

    admitted: bool
    wait_s: float | None = None


def _at(window: Window, at_s: float, every_s: float) -> Window:
    return Window(at_s, 0) if at_s >= window.began_s + every_s - _EDGE_S else window


def ask(
    window: Window, at_s: float, *, limit: int, every_s: float, reserves: int, charged: int
) -> tuple[Window, Ruling]:
    """The window after a request at ``at_s``, and what becomes of the request."""
    now = _at(window, at_s, every_s)
    if reserves > limit:
        return window, Ruling(False)
    if now.used + reserves > limit:
        return window, Ruling(False, now.began_s + every_s - at_s)
    return Window(now.began_s, now.used + charged), Ruling(True)


def left(window: Window, at_s: float, *, limit: int, every_s: float) -> tuple[int, float]:
    """How many tokens remain, and after how many seconds all of them do."""
    now = _at(window, at_s, every_s)
    return limit - now.used, now.began_s + every_s - at_s if now.used else 0.0
