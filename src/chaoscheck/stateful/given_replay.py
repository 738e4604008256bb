"""A replay that is asked for, and how to ask for it: by an option of pytest, or by a variable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaoscheck.plan.program_text import from_blob, is_blob
from chaoscheck.report.commands import (
    REPLAY_VARIABLE,
    replay_command,
    under_pytest,
    unittest_command,
)
from chaoscheck.stateful.conjecture import reproduction
from chaoscheck.stateful.machine_key import tests_of

# Theory of operation. pytest has an option for it. unittest has none, and hands nothing on to a
# test, so there the text comes in the environment. Its command names one test, and the variable
# counts only where pytest does not run it.

__all__ = ["given_replay", "replay_of", "set_replay"]


def replay_of(machine: Any, blob: str) -> str:
    """The command that replays ``blob`` on this machine, under whatever runs it now."""
    tests = [] if under_pytest() else tests_of(machine)
    return unittest_command(*tests[0], blob) if tests else replay_command(blob)


def set_replay(machine: Any, blob: str) -> None:
    """Let the machine replay ``blob`` instead of searching; PlanError when it is no such text."""
    if is_blob(blob):
        machine._replayed = from_blob(blob)
    else:
        machine._hypothesis_internal_use_reproduce_failure = reproduction(blob)


@contextmanager
def given_replay(machine: Any) -> Iterator[None]:
    """The machine replays meanwhile what the environment says, where no pytest runs it."""
    blob = os.environ.get(REPLAY_VARIABLE)
    if not blob or under_pytest():
        yield
        return
    before = dict(vars(machine))
    set_replay(machine, blob)
    try:
        yield
    finally:
        for name in ("_replayed", "_hypothesis_internal_use_reproduce_failure"):
            if name in before:
                setattr(machine, name, before[name])
            elif name in vars(machine):
                delattr(machine, name)
