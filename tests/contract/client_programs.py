"""The clients of ``docs/clients.md``, and the environments in which they run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.architecture.checkout import ROOT
from tests.contract.client_runs import Program

__all__ = ["GROUPS", "CannotRun", "Group", "command_beside", "command_on_node"]

_FOLDER = "tests.contract.python_clients"
_PROGRAM = f"{_FOLDER}.program"

# Clients that would move the project's pins, or bring plugins into its pytest, have their own.
_BESIDE = ROOT / ".venv-clients-{}.{}".format(*sys.version_info[:2])
_NODE = ROOT / ".venv-clients-node"
_NODE_CLIENTS = ROOT / "tests" / "contract" / "node_clients"


class CannotRun(Exception):
    """This machine does not have what the client needs; the text says what."""


def _here(module: str) -> list[str]:
    """Clients whose packages are among the project's own test dependencies."""
    return [sys.executable, "-m", _PROGRAM, f"{_FOLDER}.{module}"]


def _beside(module: str) -> list[str]:
    """Clients of the environment that ci/clients makes."""
    python, _, _ = command_beside(module)
    return [python, "-m", _PROGRAM, f"{_FOLDER}.{module}"]


def command_beside(module: str) -> list[str]:
    """A module of the clients' folder, in the environment that ci/clients makes."""
    _require_up_to_date(_BESIDE, ROOT / "ci" / "clients.txt")
    return [str(_BESIDE / "bin" / "python"), "-m", f"{_FOLDER}.{module}"]


def command_on_node(program: str) -> list[str]:
    """A program with the packages that ci/clients installs for Node."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise CannotRun("this machine has no node or no npm")
    _require_up_to_date(_NODE, _NODE_CLIENTS / "package-lock.json")
    return [node, str(_NODE_CLIENTS / program), str(_NODE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Clients that share a process, by their names in the table, and that process's command."""

    names: tuple[str, ...]
    command: Callable[[], list[str]]

    def program(self) -> Program:
        """The process; CannotRun where this machine does not have what it needs."""
        return Program(command=self.command(), names=self.names)


# In the order of the table.
GROUPS = (
    Group(names=("requests", "tenacity", "aiohttp"), command=partial(_here, "plain_http")),
    Group(names=("openai", "anthropic"), command=partial(_here, "sdks")),
    Group(names=("litellm/openai", "litellm/anthropic"), command=partial(_beside, "of_litellm")),
    Group(
        names=("langchain-openai", "langchain-anthropic"),
        command=partial(_beside, "of_langchain"),
    ),
    Group(
        names=("pydantic-ai/openai", "pydantic-ai/anthropic"),
        command=partial(_beside, "of_pydantic_ai"),
    ),
    Group(names=("instructor",), command=partial(_beside, "of_instructor")),
    Group(
        names=("node/openai", "node/anthropic", "node/ai-openai", "node/ai-anthropic"),
        command=partial(command_on_node, "program.cjs"),
    ),
)


def _require_up_to_date(folder: Path, pins: Path) -> None:
    """CannotRun unless ci/clients filled the folder from these pins; in CI, an error."""
    stamp = folder / "chaoscheck-stamp"
    if stamp.exists() and stamp.read_bytes() == pins.read_bytes():
        return
    version = "{}.{}".format(*sys.version_info[:2])
    missing = f"{folder.name} is not up to date: run ci/clients --python {version}"
    if os.environ.get("CHAOSCHECK_CI"):
        raise RuntimeError(missing)
    raise CannotRun(missing)
