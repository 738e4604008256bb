"""What is pinned, what is promised, and that nothing of one machine is written down."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.architecture.checkout import ROOT, files, place

# Spelled in two halves, so that this file does not hold what it looks for.
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "file:" + "///")


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lines(name: str) -> list[str]:
    """The lines of a file that are neither empty nor a comment."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins() -> dict[str, str]:
    """The pinned version of each package in ci/requirements.txt."""
    heads = (line.split("==") for line in lines("ci/requirements.txt") if "==" in line)
    return {name.strip(): rest.split()[0] for name, rest, *_ in heads}


def promised_pythons() -> list[str]:
    """The minor versions that the classifiers name."""
    named = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    return [
        match[1] for text in project()["project"]["classifiers"] if (match := named.fullmatch(text))
    ]


def test_what_is_promised_is_what_ci_runs() -> None:
    """A Python version in the classifiers is one that CI runs the tests on, and no other is."""
    run = (ROOT / ".ci/run").read_text(encoding="utf-8")
    found = re.search(r"^for version in (.+); do$", run, re.MULTILINE)

    assert found is not None
    assert promised_pythons() == found[1].split()
    assert f">={promised_pythons()[0]}" == project()["project"]["requires-python"]


def test_the_scripts_prefer_the_promised_pythons() -> None:
    """`ci/test` takes a tested interpreter by default where the machine has one."""
    pattern = " | ".join(promised_pythons()) + ")"

    assert pattern in (ROOT / "ci/_python").read_text(encoding="utf-8")


def test_every_requirement_is_pinned_within_its_range() -> None:
    """What CI tests is what the package says it works with, build backend included."""
    described = project()
    extras = described["project"]["optional-dependencies"].values()
    wanted = [
        *described["project"]["dependencies"],
        *(text for extra in extras for text in extra),
        *described["build-system"]["requires"],
        *lines("ci/requirements.in"),
    ]
    requirements = [Requirement(text) for text in wanted if not text.startswith("chaoscheck[")]
    pinned = pins()

    unmet = [str(r) for r in requirements if not r.specifier.contains(pinned.get(r.name, "0"))]
    unpinned = [r.name for r in requirements if r.name not in pinned]
    assert ([], []) == (unmet, unpinned)


def test_the_pins_are_hashes_and_nothing_else() -> None:
    """Installing fetches exactly the files that were pinned, from wherever my pip gets them."""
    hashed = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    head = re.compile(r"[a-z0-9-]+==[\w.]+( ; [^/]+)? \\")

    strange = [
        line
        for line in lines("ci/requirements.txt")
        if not hashed.fullmatch(line) and not head.fullmatch(line)
    ]
    assert [] == strange


def machine_paths() -> set[str]:
    """Paths that name this machine; short ones such as /usr are names that anybody may write."""
    own = (ROOT, Path.home(), Path(sys.base_prefix))
    return {str(path) for path in own if len(path.parts) > 2}


def test_no_file_names_a_registry_or_this_machine() -> None:
    """A clone works anywhere, and asks only the registry that its user configured."""
    telling = [*REGISTRIES, *machine_paths()]
    named = [
        f"{place(path)}: {word}"
        for path in files()
        for text in [path.read_text(encoding="utf-8", errors="replace")]
        for word in telling
        if word in text
    ]

    assert [] == named


@pytest.mark.parametrize(
    "name", ["check", "test", "properties", "bench", "lock", "soak", "zoo", "../.ci/run"]
)
def test_the_scripts_can_be_run(name: str) -> None:
    """The commands of the README work as they are written."""
    assert os.access(ROOT / "ci" / name, os.X_OK)


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"]
)
def test_the_house_has_its_papers(name: str) -> None:
    """I find what it is, how it is built, how to help, what changed, and what I may do with it."""
    assert (ROOT / name).read_text(encoding="utf-8").strip()
