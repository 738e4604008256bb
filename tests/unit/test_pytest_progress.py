"""The progress line: overwritten on a terminal, silent without one."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from chaoscheck.pytest_progress import progress_line


def config_of(screen: io.StringIO, *, reporter: Any) -> Any:
    """As much of a pytest.Config as the line asks for."""
    terminal = TerminalWriter(screen)
    terminal.fullwidth = 20
    plugins = SimpleNamespace(get_plugin=lambda name: reporter)
    return SimpleNamespace(pluginmanager=plugins, get_terminal_writer=lambda: terminal)


def test_a_line_takes_the_place_of_the_one_before() -> None:
    """Cut to the terminal, blank where the one before was longer, and gone at the end."""
    screen = io.StringIO()
    show = progress_line(config_of(screen, reporter=SimpleNamespace(isatty=True)))
    assert show is not None
    for line in ("a line that is too long for it", "short", "", ""):
        show(line)

    assert screen.getvalue().split("\r") == [
        "",
        "a line that is too ",
        "",
        "short" + " " * 14,
        "",
        " " * 5,
        "",
    ]


@pytest.mark.parametrize("reporter", [None, SimpleNamespace(isatty=False)])
def test_without_a_terminal_there_is_no_line(reporter: Any) -> None:
    """In a worker of pytest-xdist, and where the output goes to a file."""
    assert progress_line(config_of(io.StringIO(), reporter=reporter)) is None
