"""The commands that a report prints: they run as they stand, under pytest and under unittest."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

__all__ = ["REPLAY_VARIABLE", "node_id", "replay_command", "under_pytest", "unittest_command"]

REPLAY_VARIABLE = "CHAOSCHECK_REPLAY"
"""What a machine replays in place of a search, where no ``--chaos-replay`` can be given."""

_NO_TEST = "NODEID"


def replay_command(blob: str) -> str:
    """The command that runs exactly this story again under pytest."""
    return f"pytest '{node_id()}' --chaos-replay {blob}"


def unittest_command(module: str, test: str, blob: str) -> str:
    """The same where unittest runs the test case ``test`` of the module of this name."""
    given = f"{REPLAY_VARIABLE}={shlex.quote(blob)}"
    if module == "__main__":
        return f"{given} python {shlex.quote(sys.argv[0])} {test}"
    root = _import_root(module)
    path = "" if root is None else f"PYTHONPATH={shlex.quote(root)} "
    return f"{given} {path}python -m unittest {module}.{test}"


def _import_root(module: str) -> str | None:
    """The folder from which a module is imported; None if that is the current one, or unknown."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return None
    root = Path(file).resolve().parents[module.count(".")]
    if root == Path.cwd():
        return None
    return str(root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root)


def under_pytest() -> bool:
    """Whether pytest runs a test right now."""
    return node_id() != _NO_TEST


def node_id() -> str:
    """The test that runs now, as pytest names it."""
    return os.environ.get("PYTEST_CURRENT_TEST", _NO_TEST).rpartition(" (")[0] or _NO_TEST
