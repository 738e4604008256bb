"""Where code in a world called what it must not: the file and line that its author knows."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType

import anyio
import outcome
import sniffio
import trio

from chaoscheck.world.task_story import where

__all__ = ["calling_place", "created_by_stdlib", "library_call"]

_PACKAGE = str(Path(__file__).parents[2]) + os.sep
_PUMP = str(Path(__file__).parents[1] / "pump.py")
_STDLIB = sysconfig.get_path("stdlib") + os.sep
_INSTALLED = "site-packages"
# Frames of these only pass a call on: nobody looks for its cause there.
_CARRIERS = tuple(
    str(Path(library.__file__ or "").parent) + os.sep for library in (anyio, outcome, sniffio, trio)
)


def calling_place() -> str:
    """File and line of the nearest code that is no carrier's, and of the test's own code.

    A task that has no code of its own, such as ``trio.run_process`` in a nursery, is told by
    where its parent stands.
    """
    nearest: str | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != _PUMP:
        name = frame.f_code.co_filename
        if not _carries(name):
            place = f"{name}:{frame.f_lineno}"
            if _INSTALLED not in name:
                return place if nearest is None else f"{nearest}, from {place}"
            nearest = nearest or place
        frame = frame.f_back
    parent = _parents_place()
    return ", ".join(place for place in (nearest, parent) if place) or "an unknown place"


def _carries(name: str) -> bool:
    if name.startswith(_STDLIB) and _INSTALLED not in name:
        return True
    return name.startswith((_PACKAGE, *_CARRIERS, "<frozen "))


def _parents_place() -> str:
    try:
        nursery = trio.lowlevel.current_task().parent_nursery
    except RuntimeError:
        return ""
    if nursery is None:
        return ""
    return f"in a task that {where(nursery.parent_task)} has started"


def library_call(innermost: str) -> str:
    """The call of the standard library that the caller's own code made: ``Queue.get``.

    ``innermost`` is what it came to there, ``Condition.wait``, and may be called directly.
    """
    call = innermost
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_STDLIB) and _INSTALLED not in name:
            call = frame.f_code.co_qualname
        elif not name.startswith(_PACKAGE):
            break
        frame = frame.f_back
    return call


def created_by_stdlib(depth: int, module: str) -> bool:
    """Whether code of the standard library other than ``module`` made the call, for itself."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and frame.f_globals.get("__name__") == module:
        frame = frame.f_back
    return frame is not None and _carries(frame.f_code.co_filename)
