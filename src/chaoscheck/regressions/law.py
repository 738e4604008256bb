"""Which law broke, in words that are the same on every machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis.errors import InvalidDefinition

from chaoscheck.errors import ChaoscheckError
from chaoscheck.stateful.failures import origin_of

__all__ = ["Law", "broken_law", "neutral"]

MESSAGE_MAX = 300  # characters: enough to recognise a failure by


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What broke: an invariant or a rule by name, the exception's type, what it says, and where.

    ``message`` is the first line and what is indented below it: the witness of a verdict, the
    values of an assert. ``place`` is ``file.py:line``; the same law may move to another line.
    ``name`` is empty where neither had a part in it: an exception of a task in the background,
    which came to light in a ready-made rule, or a deadlock that the world found.
    """

    name: str
    exception: str
    message: str
    place: str = field(default="", compare=False)

    def __str__(self) -> str:
        said = f"{self.exception}: {self.message}" if self.message else self.exception
        named = f"{self.name}: {said}" if self.name else said
        return f"{named} ({self.place})" if self.place else named


def broken_law(machine: Any, error: BaseException) -> Law:
    """The law of ``machine`` that ``error`` says is broken."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    laws = _names_of_laws(machine)
    named = [
        frame.f_code.co_name
        for frame in _frames(error)
        if frame.f_code.co_name in laws and isinstance(frame.f_locals.get("self"), machine)
    ]
    origin = origin_of(error)
    return Law(
        name=named[-1] if named else "",
        exception=type(error).__name__,
        message=neutral(_witness(str(error)))[:MESSAGE_MAX],
        place="" if origin.is_ours else f"{Path(origin.file).name}:{origin.line}",
    )


def _names_of_laws(machine: Any) -> set[str]:
    """The rules and invariants that its author wrote; none where the machine is no machine."""
    try:
        state = machine.setup_state()
    except (InvalidDefinition, ChaoscheckError):  # the error in question, most likely
        return set()
    laws = (*state.invariants, *state.rules, *state.initializers)
    ready_made: frozenset[str] = machine._chaos_names
    return {law.function.__name__ for law in laws} - ready_made


def broken_laws(machine: Any, error: BaseException) -> list[Law]:
    """Each law that is broken: a run that found several bugs raises them as a group."""
    if isinstance(error, BaseExceptionGroup) and error.__traceback__ is not None:
        bugs = [each for each in error.exceptions if "__notes__" in vars(each)]
        if len(bugs) == len(error.exceptions):
            return [broken_law(machine, bug) for bug in bugs]
    return [broken_law(machine, error)]


def _witness(text: str) -> str:
    """The first line, and those that are indented below it, in one line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    below = [line.strip() for line in takewhile(lambda line: line[0].isspace(), lines[1:])]
    if not below:
        return lines[0]
    head = lines[0].strip()
    return f"{head}{':' if head.isalpha() else ';'} {'; '.join(below)}"


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
