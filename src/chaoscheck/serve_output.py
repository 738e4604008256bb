"""What ``chaoscheck serve`` says, and how it gives up: a line at once, to a reader or to none."""

from __future__ import annotations

import os
import sys
from typing import NoReturn, TextIO

__all__ = ["refuse", "say", "write_to_nowhere"]


def refuse(reason: str) -> NoReturn:
    """Say in one line what is wrong, whatever stands in it, and exit 2."""
    line = " ".join(reason.split())
    say(f"Error: {''.join(c if c.isprintable() else '?' for c in line)}", sys.stderr)
    raise SystemExit(2)


def say(line: str, stream: TextIO | None) -> None:
    """Write a line at once, since the starting process waits for it; it may have closed its end."""
    if stream is None:
        return
    try:
        stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        # What the stream still holds would fail once more when the interpreter ends.
        write_to_nowhere(stream)


def write_to_nowhere(stream: TextIO) -> None:
    """Whatever is written to ``stream`` from now on is lost, and its reader sees the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
