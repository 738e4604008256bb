"""Which implementation stands under the laws of each kind: ours, unless somebody chose another."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.subjects.from_asyncio import AsyncioSubject
from chaoscheck.subjects.kinds import KINDS, Kind, probe
from chaoscheck.suggestions import unknown_name
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World

__all__ = ["build", "choose", "forget_choices"]

_chosen: dict[str, Callable[..., Any]] = {}


def choose(text: str) -> str:
    """Put an implementation under the laws: ``KIND=MODULE:FACTORY``; the kind's name.

    A factory with the attribute ``runtime = "asyncio"`` makes asyncio subjects. PlanError for
    an unknown kind, a module that cannot be imported, a factory that is not there or cannot
    build a subject, and a subject that lacks a method.
    """
    name, equals, where = text.partition("=")
    module_name, colon, attribute = where.partition(":")
    if not (equals and colon and module_name and attribute):
        raise PlanError(f"a subject is KIND=MODULE:FACTORY, got {text!r}")
    kind = _kind(name)
    factory = _load(module_name, attribute)
    probe(kind, factory, where, make=_in_a_loop(kind, factory) if _on_asyncio(factory) else factory)
    _chosen[kind.name] = factory
    return kind.name


def forget_choices() -> None:
    """Our own implementations again."""
    _chosen.clear()


def build(kind_name: str, world: World, *args: Any, **kwargs: Any) -> Any:
    """A subject of this kind for a machine in ``world``: the chosen one, else ours."""
    kind = _kind(kind_name)
    factory = _chosen.get(kind_name, kind.ours)
    if _on_asyncio(factory):
        return AsyncioSubject(kind, factory, world, *args, **kwargs)
    return factory(*args, **kwargs)


def _on_asyncio(factory: Callable[..., Any]) -> bool:
    return bool(getattr(factory, "runtime", "trio") == "asyncio")


def _in_a_loop(kind: Kind, factory: Callable[..., Any]) -> Callable[..., Any]:
    """The factory as a machine calls it: while an event loop runs, so it may ask for that."""

    def make(*args: Any, **kwargs: Any) -> Any:
        with VirtualWorld() as world:
            return AsyncioSubject(kind, factory, world, *args, **kwargs).itself

    return make


def _kind(name: str) -> Kind:
    kind = KINDS.get(name)
    if kind is None:
        raise PlanError(unknown_name("kind of subject", name, KINDS))
    return kind


def _load(module_name: str, attribute: str) -> Callable[..., Any]:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # an adapter beside the tests needs no installing
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PlanError(
            f"cannot import {module_name!r}: {type(error).__name__}: {error}"
        ) from error
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise PlanError(f"module {module_name!r} has no {attribute!r}")
        found = getattr(found, part)
    factory: Callable[..., Any] = found
    return factory
