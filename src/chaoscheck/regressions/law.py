"""Which law broke, in words that are the same on every machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["Law", "broken_law", "neutral"]

MESSAGE_MAX = 300  # characters: enough to recognise a failure by


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What broke: an invariant or a rule by name, the exception's type, and its first line.

    ``name`` is empty where neither had a part in it: an exception of a task in the background,
    which came to light in a ready-made rule, or a deadlock that the world found.
    """

    name: str
    exception: str
    message: str

    def __str__(self) -> str:
        said = f"{self.exception}: {self.message}" if self.message else self.exception
        return f"{self.name}: {said}" if self.name else said


def broken_law(machine: Any, error: BaseException) -> Law:
    """The law of ``machine`` that ``error`` says is broken."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    state = machine.setup_state()
    laws = {law.function.__name__ for law in (*state.invariants, *state.rules, *state.initializers)}
    laws -= machine._chaos_names
    named = [
        frame.f_code.co_name
        for frame in _frames(error)
        if frame.f_code.co_name in laws and isinstance(frame.f_locals.get("self"), machine)
    ]
    first_line = next((line for line in str(error).splitlines() if line.strip()), "")
    return Law(
        name=named[-1] if named else "",
        exception=type(error).__name__,
        message=neutral(first_line)[:MESSAGE_MAX],
    )


def _frames(error: BaseException) -> Iterator[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def neutral(text: str) -> str:
    """``text`` without what differs from machine to machine: folders and memory addresses."""
    return _ADDRESS.sub("0x…", _PATH.sub(_base_name, text))


# A path in the file system, and neither the path of an address (http://host/v1/chat) nor a/b.
_PATH = re.compile(r"(?<![\w:/.~])(?:[A-Za-z]:\\[^\s'\"]+|/[\w.@+-]+(?:/[\w.@+-]+)+)")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def _base_name(found: re.Match[str]) -> str:
    path = found[0]
    # "/v1/messages" is a path too, but of a server. Folders of this machine are there.
    if path.startswith("/") and not os.path.isdir("/" + path.split("/")[1]):
        return path
    return "…/" + re.split(r"[\\/]", path)[-1]
