"""Collecting a machine's test as several items, so that pytest-xdist spreads its search."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.stateful.shard import WHOLE, Shard

# Theory of operation. pytest-xdist splits a run by items, and pytest cannot parametrize what is
# collected from a unittest.TestCase. So the one item ``runTest`` of a machine's test case is
# replaced by ``runTest[1/4]`` … ``runTest[4/4]``: items of the same type in the same class, each
# with an alias of the method ``runTest``. Which of them an item is, is in its stash.
#
# All workers must collect the same items. So their number depends only on options, on how many
# workers there are, and on the machine's settings.
#
# An item that the command line names is collected whatever the number would be: the node ID that
# a failing run under xdist printed is good without it as well.

__all__ = ["EXAMPLES_MIN", "SHARDS_MAX", "claims_folder", "shard_of", "split"]

SHARDS_MAX = 8
"""As many at most by default: each shard shrinks what it finds, which all the others find too."""

EXAMPLES_MIN = 25
"""As many examples at least a shard has by default: with fewer it may miss a declared fault."""

_NAME = "runTest"
_SUFFIX = re.compile(r"(?P<number>\d{1,4})/(?P<count>\d{1,4})\]")
_SHARD = pytest.StashKey[Shard]()


def split(collector: pytest.Class, nodes: list[Any]) -> list[Any]:
    """What was collected from the test case of a machine, with shards where runTest was."""
    found: list[Any] = []
    for node in nodes:
        shards = _shards(collector) if node.name == _NAME else []
        if len(shards) == 1 and shards[0] == WHOLE:
            shards = []
        found += [_item(node, shard) for shard in shards] or [node]
    return found


def shard_of(item: pytest.Item) -> Shard:
    """Which shard of its machine the item is; the first of those that were selected leads."""
    shard = item.stash.get(_SHARD, WHOLE)
    siblings = (each for each in item.session.items if each.parent is item.parent)
    leader = next((each for each in siblings if _SHARD in each.stash), item)
    return Shard(number=shard.number, count=shard.count, leads=leader is item)


def claims_folder(item: pytest.Item, shard: Shard) -> Path | None:
    """A folder that all shards of the item's machine share in this run of pytest; None: no shards.

    It is where pytest keeps temporary files, which it tidies itself. A worker has a folder of its
    own in there.
    """
    factory = getattr(item.config, "_tmp_path_factory", None)
    if shard.count == 1 or factory is None:
        return None
    base: Path = factory.getbasetemp()
    worker = getattr(item.config, "workerinput", None)
    run = str(os.getpid()) if worker is None else worker["testrunuid"]
    machine = item.nodeid.partition("[")[0]
    digest = hashlib.sha256(f"{run} {machine}".encode()).hexdigest()[:16]
    return (base if worker is None else base.parent) / f"chaoscheck-claims-{digest}"


def _item(whole: Any, shard: Shard) -> Any:
    if shard == WHOLE:
        return whole
    name = f"{_NAME}[{shard}]"
    test_case = whole.parent.obj
    setattr(test_case, name, getattr(test_case, _NAME))
    item = type(whole).from_parent(whole.parent, name=name)
    item.stash[_SHARD] = shard
    return item


def _shards(collector: pytest.Class) -> list[Shard]:
    """As many as there should be, and those that the command line names besides."""
    count = _count(collector.config, collector.obj.settings.max_examples)
    shards = [Shard(number=number, count=count) for number in range(1, count + 1)]
    return [*shards, *(each for each in _named(collector) if each not in shards)]


def _count(config: pytest.Config, max_examples: int) -> int:
    if config.getoption("--chaos-replay") is not None:
        return 1
    asked: int | None = config.getoption("--chaos-shards")
    if asked is not None:
        return min(asked, max_examples)
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    return max(1, min(workers, SHARDS_MAX, max_examples // EXAMPLES_MIN))


def _named(collector: pytest.Class) -> list[Shard]:
    """The shards of this test case that stand in the command line."""
    classes = [each.name for each in collector.listchain() if isinstance(each, pytest.Class)]
    shards = []
    for argument in collector.config.args:
        node, _, suffix = argument.partition("[")
        path, *names = node.split("::")
        named = _SUFFIX.fullmatch(suffix)
        if named is None or names != [*classes, _NAME] or not _is_at(collector, path):
            continue
        number, count = int(named["number"]), int(named["count"])
        if 1 <= number <= count:
            shards.append(Shard(number=number, count=count))
    return list(dict.fromkeys(shards))


def _is_at(collector: pytest.Class, path: str) -> bool:
    return (collector.config.invocation_params.dir / path).resolve() == collector.path.resolve()
