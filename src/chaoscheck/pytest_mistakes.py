"""What pytest would pass over in silence: markers without effect, machines it cannot collect.

Each is an error with file and line. A marker is judged by what its tests ask for, directly or
through other fixtures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from chaoscheck.suggestions import near_name

__all__ = ["MARKERS", "find_markers_without_effect", "marker_error", "refuse_machine"]

MARKERS = ("chaos", "chaosllm")  # two names of one marker
_SERVERS = frozenset({"chaos_server", "chaos_server_session"})
_MEANINGLESS = pytest.StashKey[list[tuple[str, str]]]()


def refuse_machine(collector: Any, name: str, obj: Any) -> None:
    """CollectError for a machine named as a test class, which pytest does not run.

    A machine whose TestCase stands in the same module is run by that; one with
    ``__test__ = False`` is meant as it is.
    """
    machines = sys.modules.get("chaoscheck.stateful.machine")
    if machines is None or not isinstance(obj, type) or not issubclass(obj, machines.ChaosMachine):
        return
    if not collector.classnamefilter(name) or not getattr(obj, "__test__", True):
        return
    if any(_runs(each, obj) for each in vars(collector.obj).values()):
        return
    raise collector.CollectError(
        f"{collector.path}: {name} is a machine, and pytest runs a machine's TestCase: name the "
        f"machine otherwise and write Test{name.removeprefix('Test')} = ITS_NAME.TestCase, or set "
        f"__test__ = False if it is run elsewhere"
    )


def _runs(value: object, machine: type[Any]) -> bool:
    run = getattr(value, "runTest", None) if isinstance(value, type) else None
    return getattr(run, "_hypothesis_state_machine_class", None) is machine


def find_markers_without_effect(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Note on the first test of each class or module whose marker changes none of its tests.

    A run of single tests (``FILE::TEST``) says nothing of the others under the same marker.
    """
    if any("::" in argument for argument in config.args):
        return
    shared = [
        (node, mark.name, item)
        for item in items
        for node, mark in item.iter_markers_with_node()
        if mark.name in MARKERS and node not in _owners(item)
    ]
    useful = {node for node, _, item in shared if _asks_for_a_server(item)}
    judged = {id(node): (node, marker, item) for node, marker, item in reversed(shared)}
    for node, marker, item in judged.values():
        if node not in useful:
            why = f"no test of {node.name} uses a chaos_server"
            item.stash.setdefault(_MEANINGLESS, []).append((marker, why))


def marker_error(item: pytest.Item, asked_late: Iterable[str]) -> str | None:
    """What is wrong with the markers of a test that has run; ``asked_late`` are fixtures got by
    ``request.getfixturevalue``. None where nothing is.
    """
    typo = _misspelt(item)
    if typo is not None:
        return typo
    owners = _owners(item)
    names = [mark.name for node, mark in item.iter_markers_with_node() if node in owners]
    marker = next((name for name in names if name in MARKERS), None)
    if marker is not None and not _SERVERS & {*getattr(item, "fixturenames", ()), *asked_late}:
        return _without_effect(item, marker, "this test uses no chaos_server")
    shared = item.stash.get(_MEANINGLESS, [])
    return "\n".join(_without_effect(item, *each) for each in shared) or None


def _without_effect(item: pytest.Item, marker: str, why: str) -> str:
    instead = (
        "a machine declares faults = (...), and serves a plan by chaos.serve(plan) in setup()"
        if len(_owners(item)) > 1
        else "ask for the fixture chaos_server, or take the marker away"
    )
    return f"{_place(item)}: @pytest.mark.{marker} has no effect here, since {why}: {instead}"


def _misspelt(item: pytest.Item) -> str | None:
    """A marker on a user of the chaos_server that is not registered, and looks like ours."""
    if not _asks_for_a_server(item):
        return None
    registered = {
        line.partition(":")[0].partition("(")[0] for line in item.config.getini("markers")
    }
    for mark in item.iter_markers():
        near = None if mark.name in registered else near_name(mark.name, MARKERS)
        if near is not None:
            return f"{_place(item)}: unknown marker {mark.name!r}; did you mean {near!r}?"
    return None


def _place(item: pytest.Item) -> str:
    return f"{item.path}:{(item.location[1] or 0) + 1}"


def _owners(item: pytest.Item) -> tuple[Any, ...]:
    """The nodes whose marker is a test's own: itself, and the class that a machine's test is."""
    is_machine = hasattr(getattr(item, "obj", None), "_hypothesis_state_machine_class")
    return (item, item.parent) if is_machine else (item,)


def _asks_for_a_server(item: pytest.Item) -> bool:
    if _SERVERS & {*getattr(item, "fixturenames", ())}:
        return True
    return any("getfixturevalue" in names for names in _names_in_code(item))


def _names_in_code(item: Any) -> Iterator[tuple[str, ...]]:
    """The attributes that a test and its fixtures mention: one may ask for a fixture late."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = () if info is None else info.name2fixturedefs.values()
    functions = [getattr(item, "obj", None), *(each.func for some in definitions for each in some)]
    for function in functions:
        code = getattr(function, "__code__", None)
        if code is not None:
            yield code.co_names
