"""What is behind the fixtures ``chaos_server`` and ``chaos_server_session``, and their markers.

Imported when a test first asks for one: the plugin itself stays light.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.documents.overriding import with_faults
from chaoscheck.plan.documents.plan_document import plan_from_document, read_plan
from chaoscheck.plan.documents.presets import preset
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.pytest_mistakes import MARKERS
from chaoscheck.server.settings import ServerSettings
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.suggestions import unknown_name

__all__ = [
    "ASKED",
    "Wanted",
    "prepare_session_server",
    "served",
    "session_served",
    "wanted",
]

_FAULT_NAMES = tuple(fault.name for fault in FAULTS)
# Parts of a plan that a marker gives whole, in place of what the preset or the file has.
_PARTS = (
    "bursts",
    "outages",
    "ramps",
    "scripts",
    "first",
    "limits",
    "context_window",
    "replies",
    "aimed",
)
_KEYWORDS = ("preset", "plan", "seed", "rates", "headers", "providers", *_PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a test asked for by its marker; silence without one."""

    plan: FaultPlan = field(default_factory=FaultPlan)
    providers: Collection[str] | None = None


def wanted(mark: pytest.Mark | None, *folders: Path) -> Wanted:
    """What ``mark`` says; files of plans are looked for in ``folders``, in this order.

    pytest.UsageError for an unknown keyword, with the nearest legal one, and for a bad plan.
    """
    if mark is None:
        return Wanted()
    try:
        return _wanted(mark, folders)
    except PlanError as error:
        raise pytest.UsageError(f"@pytest.mark.{mark.name}: {error}") from None


def _wanted(mark: pytest.Mark, folders: tuple[Path, ...]) -> Wanted:
    if mark.args:
        raise PlanError(f"takes keywords only, such as preset='stress', got {mark.args[0]!r}")
    given = dict(mark.kwargs)
    unknown = [name for name in given if name not in (*_KEYWORDS, *_FAULT_NAMES)]
    if unknown:
        names = (*_KEYWORDS, *_FAULT_NAMES)
        raise PlanError(unknown_name("keyword", unknown[0], names))
    plan = _base(given.get("plan"), given.get("preset"), folders)
    for name in ("rates", "headers"):
        plan = with_faults(plan, _mapping(name, given.get(name, {})))
    plan = with_faults(plan, {name: given[name] for name in _FAULT_NAMES if name in given})
    changes: dict[str, Any] = {name: _part(name, given[name]) for name in _PARTS if name in given}
    if "seed" in given:
        changes["seed"] = given["seed"]
    return Wanted(plan=replace(plan, **changes), providers=_names(given.get("providers")))


def _base(plan: object, preset_name: str | None, folders: tuple[Path, ...]) -> FaultPlan:
    if plan is not None and preset_name is not None:
        raise PlanError("plan and preset exclude each other: a preset is a whole plan")
    if preset_name is not None:
        return preset(preset_name).plan
    if plan is None:
        return FaultPlan()
    if isinstance(plan, FaultPlan):
        return plan
    if isinstance(plan, Mapping):
        return plan_from_document(plan)
    if isinstance(plan, str | Path):
        there = [folder / plan for folder in folders if (folder / plan).is_file()]
        return read_plan(there[0] if there else Path(plan))
    raise PlanError(f"plan must be a file, a FaultPlan or a mapping, got {plan!r}")


def _mapping(name: str, value: object) -> Mapping[Any, float]:
    if not isinstance(value, Mapping):
        raise PlanError(f"{name} must map faults to rates, got {value!r}")
    return value


def _part(name: str, value: Any) -> object:
    """One part of a plan, of values or of what plan files say in their place."""
    items = value.values() if name == "scripts" and isinstance(value, Mapping) else value
    in_words = isinstance(items, Mapping) or (
        isinstance(items, list | tuple) and any(isinstance(item, Mapping) for item in items)
    )
    try:
        made = plan_from_document({name: value}) if in_words else FaultPlan.of(**{name: value})
    except TypeError as error:
        raise PlanError(f"{name}: {error}") from None
    return getattr(made, name)


def _names(value: object) -> Collection[str] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple | set | frozenset):
        raise PlanError(f"providers must be a list of names, got {value!r}")
    return tuple(names)


def _asked_by(item: Any) -> Wanted:
    """What the closest marker of a test says."""
    marks = (mark for mark in item.iter_markers() if mark.name in MARKERS)
    return wanted(next(marks, None), item.path.parent, item.config.rootpath)


# ---------------------------------------------------------------------- the fixtures


def served(item: Any) -> Iterator[ThreadedServer]:
    """A server of its own for a test, as its marker says."""
    item.stash[ASKED] = ("chaos_server",)
    asked = _asked_by(item)
    try:
        server = ThreadedServer(asked.plan, settings=ServerSettings(providers=asked.providers))
    except PlanError as error:
        raise pytest.UsageError(f"chaos_server: {error}") from None
    with server:
        yield server


ASKED = pytest.StashKey[tuple[str, ...]]()
"""The chaos servers that a test has got."""

_SESSION = pytest.StashKey[ThreadedServer]()
_NEXT_PLAN = pytest.StashKey[FaultPlan]()


def session_served(config: pytest.Config) -> Iterator[ThreadedServer]:
    """The server of all tests that ask for the session's, on the plan of the first."""
    with ThreadedServer(config.stash.get(_NEXT_PLAN, FaultPlan())) as server:
        config.stash[_SESSION] = server
        yield server
        del config.stash[_SESSION]


def prepare_session_server(item: Any) -> None:
    """Before a test that uses it: nothing is left of earlier tests, and its own plan is on."""
    asked = _asked_by(item)
    if asked.providers is not None:
        raise pytest.UsageError(
            "chaos_server_session serves all providers: providers= goes with chaos_server"
        )
    item.config.stash[_NEXT_PLAN] = asked.plan
    server = item.config.stash.get(_SESSION, None)
    if server is not None:
        server.heal()
        server.reset()
        server.plan = asked.plan
