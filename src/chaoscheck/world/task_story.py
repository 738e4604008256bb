"""Which tasks there are and what each waits on, in words: for deadlocks and livelocks."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Container, Iterator
from pathlib import Path
from types import FrameType

import trio

__all__ = ["calling_place", "code_place", "family", "tell_tasks", "where"]

_TASKS_SHOWN_MAX = 20
_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple(
    str(Path(place))
    for place in (
        Path(trio.__file__).parent,
        sysconfig.get_path("stdlib"),
        Path(__file__).parents[1] / "world",
    )
)


def tell_tasks(
    nursery: trio.Nursery | None, *, only: Container[trio.lowlevel.Task] | None = None
) -> str:
    """One line a task: its name, where its own code stands, and what it waits on."""
    if nursery is None:
        return "  (no task was started)"
    tasks = [task for task in _all_tasks(nursery) if only is None or task in only]
    lines = [f"  {task.name}: {where(task)}" for task in tasks[:_TASKS_SHOWN_MAX]]
    if len(tasks) > _TASKS_SHOWN_MAX:
        lines.append(f"  … and {len(tasks) - _TASKS_SHOWN_MAX} more")
    return "\n".join(lines) or "  (no task is left)"


def _all_tasks(nursery: trio.Nursery) -> Iterator[trio.lowlevel.Task]:
    for task in sorted(nursery.child_tasks, key=lambda task: task._counter):
        yield task
        for child in task.child_nurseries:
            yield from _all_tasks(child)


def family(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """The task and all tasks below it."""
    yield task
    for nursery in task.child_nurseries:
        yield from _all_tasks(nursery)


def where(task: trio.lowlevel.Task) -> str:
    frames = [(frame, line) for frame, line in task.iter_await_frames()]
    if not frames:
        return "not started yet"
    own = [(frame, line) for frame, line in frames if not is_library(frame)]
    innermost = frames[-1][0]
    waits_on = _meaningful(innermost, frames)
    if not own:
        return f"in {waits_on}"
    frame, line = own[-1]
    return f"{code_place(frame, line)} waits in {waits_on}"


def _meaningful(innermost: FrameType, frames: list[tuple[FrameType, int]]) -> str:
    """The outermost library call below the task's own code: what the author would recognise."""
    library: FrameType = innermost
    for frame, _ in reversed(frames):
        if not is_library(frame):
            break
        library = frame
    owner, _, method = library.f_code.co_qualname.rpartition(".")
    if owner.endswith("Mixin"):  # as `async with lock` has it: the author knows a Lock
        owner = type(library.f_locals.get("self")).__name__
    return f"{owner}.{method}" if owner else method


def is_library(frame: FrameType) -> bool:
    """Whether the frame belongs to trio, the standard library or the world itself."""
    name = frame.f_code.co_filename
    return name.startswith(_LIBRARIES) and "site-packages" not in name.removeprefix(_LIBRARIES[0])


def calling_place() -> str:
    """The innermost line of somebody's own code on the way here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (is_library(frame) or _PACKAGE in frame.f_code.co_filename):
        frame = frame.f_back
    return "nobody's code" if frame is None else code_place(frame, frame.f_lineno)


def code_place(frame: FrameType, line: int) -> str:
    """``file.py:12 in function``, with the last two parts of the path."""
    path = "/".join(Path(frame.f_code.co_filename).parts[-2:])
    return f"{path}:{line} in {frame.f_code.co_qualname}"
