"""A crash of whoever writes to an audit: the files as they are at that instant, and a fence.

The copy of database and log equals what SIGKILL leaves behind. It is not a power loss: what the
operating system holds, it still writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaoscheck.components.audit_trail import WritePoint

__all__ = ["CrashAt", "Crashed", "copy_as_killed"]


class Crashed(BaseException):
    """The process is gone: nobody catches this, and nothing that follows has an effect."""


def copy_as_killed(path: Path, to: Path) -> None:
    """Copy a database and its log as they are now, whoever has them open."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, to.with_name(to.name + suffix))


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashAt:
    """A listener of writes that crashes before or after the ``number``-th, from 1.

    The files at that instant are at ``to``. ``at_once`` is called before anything unwinds.
    """

    number: int
    when: Literal["before", "after"]
    path: Path
    to: Path
    at_once: Callable[[], object] = lambda: None

    def __call__(self, point: WritePoint) -> None:
        """Crash if this is the point."""
        if (point.number, point.when) == (self.number, self.when):
            copy_as_killed(self.path, self.to)
            self.at_once()
            raise Crashed(f"{point.when} write {point.number}: {point.sql.split()[0]}")
