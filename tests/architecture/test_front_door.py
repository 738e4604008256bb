"""The public names, what importing them costs, and the entry points."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pytest

import chaoscheck
from tests.architecture.checkout import ROOT
from tests.architecture.test_packaging import project

PUBLIC_NAMES_MAX = 25
HEAVY = {"hypothesis", "trio", "httpx", "httptools", "rich"}


def documented_names() -> list[str]:
    """The names in the first column of the first table below README's `## The front door`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, section = readme.partition("\n## The front door\n")
    table = re.search(r"(?:^\|.*\n?)+", section, re.MULTILINE)
    rows = table[0].splitlines()[2:] if table else []
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def public_names() -> list[str]:
    """What chaoscheck exports; its version is a fact, not a name to learn."""
    return sorted(set(getattr(chaoscheck, "__all__", [])) - {"__version__"})


def test_the_front_door_is_the_one_in_the_readme() -> None:
    """What I may import is listed, and what is listed I may import."""
    assert public_names()
    assert public_names() == sorted(documented_names())


def test_the_front_door_is_small() -> None:
    """I can learn all public names in one sitting."""
    assert len(public_names()) <= PUBLIC_NAMES_MAX


def test_every_public_name_is_there() -> None:
    """No listed name fails on first use, and dir() shows them all.

    The names are imported on use, and this uses every one of them: up to 0.3 s.
    """
    assert [] == [name for name in public_names() if getattr(chaoscheck, name, None) is None]
    assert set(public_names()) <= set(dir(chaoscheck))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing mistake reads like one."""
    mistyped = "no_such_name"

    with pytest.raises(AttributeError, match=mistyped):
        getattr(chaoscheck, mistyped)


@pytest.mark.parametrize("module", ["chaoscheck", "chaoscheck.cli", "chaoscheck.pytest_plugin"])
def test_what_everybody_imports_imports_nothing_heavy(module: str) -> None:
    """`chaoscheck --help`, and a pytest start that does not use the plugin, stay quick.

    What this process has imported already hides the answer, so it asks another: 0.1 to 0.3 s.
    """
    program = f"import sys, {module}; print(*sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert set() == HEAVY & set(printed.split())


def test_the_entry_points_lead_somewhere() -> None:
    """What pip installs as commands and plugins exists."""
    described = project()["project"]
    plugins = described["entry-points"]["pytest11"]
    targets = [*described["scripts"].values(), *plugins.values()]

    for target in targets:
        module, _, attribute = target.partition(":")
        assert not attribute or callable(getattr(import_module(module), attribute))
