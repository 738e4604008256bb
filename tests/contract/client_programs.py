"""The clients of ``docs/clients.md``, and the environments in which they run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from tests.contract.client_runs import Program

__all__ = ["CannotRun", "programs"]

_FOLDER = "tests.contract.python_clients"
_PLAIN_HTTP = f"{_FOLDER}.plain_http"
_SDKS = f"{_FOLDER}.sdks"


class CannotRun(Exception):
    """This machine does not have what the client needs; the text says what."""


def programs() -> dict[str, Callable[[], Program]]:
    """Each client by its name in the table, in its order; CannotRun where it cannot be run here."""
    return {
        "requests": partial(_here, _PLAIN_HTTP, "requests"),
        "tenacity": partial(_here, _PLAIN_HTTP, "tenacity"),
        "aiohttp": partial(_here, _PLAIN_HTTP, "aiohttp"),
        "openai": partial(_here, _SDKS, "openai"),
        "anthropic": partial(_here, _SDKS, "anthropic"),
    }


def _here(module: str, name: str) -> Program:
    """A client whose package is one of the project's own test dependencies."""
    return _python(sys.executable, module, name)


def _python(interpreter: str, module: str, name: str) -> Program:
    command = (interpreter, "-m", f"{_FOLDER}.program", module, name)
    return Program(name=name, command=command)
