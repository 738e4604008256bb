"""The clients of ``docs/clients.md``, and the environments in which they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

from tests.architecture.checkout import ROOT
from tests.contract.client_runs import Program

__all__ = ["CannotRun", "programs"]

_FOLDER = "tests.contract.python_clients"
_PLAIN_HTTP = f"{_FOLDER}.plain_http"
_SDKS = f"{_FOLDER}.sdks"
_LITELLM = f"{_FOLDER}.of_litellm"
_LANGCHAIN = f"{_FOLDER}.of_langchain"
_PYDANTIC_AI = f"{_FOLDER}.of_pydantic_ai"
_INSTRUCTOR = f"{_FOLDER}.of_instructor"

# Clients that would move the project's pins, or bring plugins into its pytest, have their own.
_BESIDE = ROOT / ".venv-clients-{}.{}".format(*sys.version_info[:2])


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
        "litellm/openai": partial(_beside, _LITELLM, "litellm/openai"),
        "litellm/anthropic": partial(_beside, _LITELLM, "litellm/anthropic"),
        "langchain-openai": partial(_beside, _LANGCHAIN, "langchain-openai"),
        "langchain-anthropic": partial(_beside, _LANGCHAIN, "langchain-anthropic"),
        "pydantic-ai/openai": partial(_beside, _PYDANTIC_AI, "pydantic-ai/openai"),
        "pydantic-ai/anthropic": partial(_beside, _PYDANTIC_AI, "pydantic-ai/anthropic"),
        "instructor": partial(_beside, _INSTRUCTOR, "instructor"),
    }


def _here(module: str, name: str) -> Program:
    """A client whose package is one of the project's own test dependencies."""
    return _python(sys.executable, module, name)


def _beside(module: str, name: str) -> Program:
    """A client of the environment that ci/clients makes."""
    stamp = _BESIDE / "chaoscheck-stamp"
    pins = (ROOT / "ci" / "clients.txt").read_text(encoding="utf-8")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != pins:
        version = "{}.{}".format(*sys.version_info[:2])
        _must_run(f"{_BESIDE.name} is not up to date: run ci/clients --python {version}")
    return _python(str(_BESIDE / "bin" / "python"), module, name)


def _must_run(missing: str) -> None:
    """CannotRun; in CI, where everything must be there, an error."""
    if os.environ.get("CHAOSCHECK_CI"):
        raise RuntimeError(missing)
    raise CannotRun(missing)


def _python(interpreter: str, module: str, name: str) -> Program:
    command = (interpreter, "-m", f"{_FOLDER}.program", module, name)
    return Program(name=name, command=command)
