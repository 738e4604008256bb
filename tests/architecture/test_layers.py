"""The boxes of src/chaoscheck and the contracts over them. ci/check runs the contracts."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

from tests.architecture.checkout import PACKAGE, ROOT, files, place, python_files, tree

# From the ground up, as the design lists them. A box that is not built yet is absent.
BOXES = (
    "errors", "suggestions", "plan", "history", "world", "wire", "components", "server", "load",
    "checks", "report", "strategies", "stateful", "regressions", "subjects",
    "cli", "presets_command", "profiles", "pytest_mistakes", "pytest_plugin", "pytest_progress",
    "pytest_schedules", "pytest_server", "pytest_statistics", "pytest_untested", "serve_command",
    "serve_options", "serve_output", "sharding", "__main__",
)  # fmt: skip

DUMPING_GROUNDS = {
    "utils", "util", "helpers", "helper", "common", "core", "misc", "manager", "handler", "tools",
}  # fmt: skip


def contracts() -> list[dict[str, Any]]:
    """The import contracts of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return list(project["tool"]["importlinter"]["contracts"])


def layers() -> list[str]:
    """The boxes of the layer contract, from the ground up; siblings in the order written."""
    (contract,) = (contract for contract in contracts() if contract["type"] == "layers")
    rows = [row.replace("|", " ").replace(":", " ").split() for row in contract["layers"]]
    return [box for row in reversed(rows) for box in sorted(row, key=BOXES.index)]


def boxes() -> set[str]:
    """The boxes that exist: modules and sub-packages of chaoscheck."""
    inside = {path.relative_to(PACKAGE) for path in python_files("src/chaoscheck")}
    return {path.parts[0].removesuffix(".py") for path in inside} - {"__init__"}


def sources(contract_name: str) -> set[str]:
    """The source modules of the contract of that name."""
    (contract,) = (contract for contract in contracts() if contract["name"] == contract_name)
    return set(contract["source_modules"])


def test_every_box_stands_in_the_layer_contract() -> None:
    """A new box cannot slip in without somebody deciding where it belongs."""
    assert boxes() == set(layers())


def test_the_layer_contract_has_the_order_of_the_design() -> None:
    """The contract says what the design says: each box stands on those listed before it."""
    assert [box for box in BOXES if box in boxes()] == layers()


def test_the_judges_are_kept_pure_by_contract() -> None:
    """checks and report judge values; when either exists, both of its contracts name it."""
    judges = {f"chaoscheck.{box}" for box in ("checks", "report") if box in boxes()}

    pure = "Checks, reports and models never import trio, httpx or httptools"
    assert judges | {"models"} == sources(pure)
    assert judges == sources("Checks and reports import only values")


def test_a_sub_package_init_holds_a_docstring_only() -> None:
    """I import the defining module, and no import of mine runs code of a package's front."""
    nested = [path for path in python_files("src", "models") if path.name == "__init__.py"]
    filled = [
        place(path)
        for path in nested
        if path != PACKAGE / "__init__.py"
        and not (ast.get_docstring(tree(path)) and len(tree(path).body) == 1)
    ]

    assert [] == filled


def test_no_module_is_a_dumping_ground() -> None:
    """A module is named after the thing in the field's own words."""
    named = {path: set(Path(place(path)).with_suffix("").parts) for path in python_files()}

    assert [] == [place(path) for path, parts in named.items() if parts & DUMPING_GROUNDS]


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    """My own type checker believes chaoscheck's annotations."""
    assert PACKAGE / "py.typed" in files()
