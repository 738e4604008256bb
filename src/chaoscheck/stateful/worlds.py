"""Which world machines run in, unless they say otherwise: one setting of the process."""

from __future__ import annotations

from chaoscheck.errors import PlanError
from chaoscheck.suggestions import unknown_name
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World

__all__ = ["WORLDS", "choose_world", "chosen_world"]

WORLDS: dict[str, type[World]] = {"virtual": VirtualWorld, "loopback": LoopbackWorld}

_chosen = "virtual"


def choose_world(name: str) -> None:
    """Let machines run in this kind of world from now on; PlanError for an unknown one."""
    global _chosen
    if name not in WORLDS:
        raise PlanError(unknown_name("world", name, WORLDS))
    _chosen = name


def chosen_world() -> type[World]:
    """The world type that machines run in."""
    return WORLDS[_chosen]
