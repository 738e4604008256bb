"""A traceback as the user needs it: without our frames before and behind those of others."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TypeVar

__all__ = ["without_our_frames"]

E = TypeVar("E", bound=BaseException)

_PACKAGE = Path(__file__).parents[1]
# Not our components: those are under test themselves.
_OURS = tuple(str(_PACKAGE / box) for box in ("regressions", "stateful", "world"))


def without_our_frames(error: E) -> E:
    """``error``, whose traceback begins and ends in code that is not ours; none where all is ours.

    What stands between frames of others stays. The errors of a group are treated alike.
    """
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            without_our_frames(each)
    frames = _frames(error.__traceback__)
    others = [place for place, each in enumerate(frames) if not _is_ours(each)]
    kept = frames[others[0] : others[-1] + 1] if others else []
    rebuilt: TracebackType | None = None
    for each in reversed(kept):
        rebuilt = TracebackType(rebuilt, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return error.with_traceback(rebuilt)


def _frames(traceback: TracebackType | None) -> list[TracebackType]:
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    return frames


def _is_ours(traceback: TracebackType) -> bool:
    return traceback.tb_frame.f_code.co_filename.startswith(_OURS)
