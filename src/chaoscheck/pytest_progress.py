"""The line on a terminal that says how far a search is, and that the next one overwrites."""

from __future__ import annotations

from collections.abc import Callable

import pytest

__all__ = ["progress_line"]


def progress_line(config: pytest.Config) -> Callable[[str], object] | None:
    """Shows a line in place of the one before; None where there is no terminal to look at.

    A worker of pytest-xdist has none, nor has a run that writes to a file.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty:
        return None
    terminal = config.get_terminal_writer()
    shown = 0

    def show(line: str) -> None:
        nonlocal shown
        line = line[: terminal.fullwidth - 1]
        if line or shown:
            terminal.write(f"\r{line:{shown}}\r", flush=True)
        shown = len(line)

    return show
