"""Claims: of the shards of one machine, the one that met a bug first tells it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaoscheck.errors import SubjectError
from chaoscheck.report.commands import node_id
from chaoscheck.stateful.failures import Origin

# Theory of operation. Shards search side by side, in processes that know nothing of each other,
# and what one of them finds most others find too. Each would shrink it and tell it in full. So a
# shard claims a bug when it first meets it, by making a file that is named after the bug: of
# several that try, one succeeds. To the others such an example passes from then on, so that they
# look for other bugs, but they end as failed and name the shard that has the story: were that one
# killed, the run would still be red. A claim never changes hands, so that the same choices lead to
# the same end, as Hypothesis requires.
#
# Where files cannot be written, every shard tells what it finds.

__all__ = ["Claims", "ToldElsewhere", "claiming", "current_claims"]


class ToldElsewhere(SubjectError):
    """Every bug that this shard met is told by another shard of the machine, which it names."""


class Claims:
    """The bugs that this shard may tell; ``folder`` is shared by all shards of the machine."""

    def __init__(self, folder: Path | None, shard: str) -> None:
        self._folder = folder
        self._shard = shard
        #: The shard that tells it, by bug.
        self.elsewhere: dict[Origin, str] = {}

    def claim(self, bug: Origin) -> bool:
        """Whether this shard tells ``bug``; else ``elsewhere`` says which shard does."""
        owner = self.elsewhere.get(bug) or self._owner_of(bug)
        if owner == self._shard:
            return True
        self.elsewhere[bug] = owner
        return False

    def require_none_elsewhere(self) -> None:
        """ToldElsewhere when another shard tells what this one met."""
        if self.elsewhere:
            raise ToldElsewhere("; ".join(self.lines()))

    def lines(self) -> list[str]:
        """A line for each bug that another shard tells."""
        return [f"{bug}: the story is told by {owner}" for bug, owner in self.elsewhere.items()]

    def note_on(self, error: BaseException) -> None:
        """Say on an error of this shard which bugs it met besides, and who tells them."""
        for line in self.lines():
            error.add_note(f"This shard met another bug as well. {line}")

    def _owner_of(self, bug: Origin) -> str:
        if self._folder is None:
            return self._shard
        digest = hashlib.sha256(repr(bug).encode()).hexdigest()
        claim = self._folder / digest[:32]
        mine = claim.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            mine.write_text(self._shard, encoding="utf-8")
            try:
                os.link(mine, claim)  # the whole file at once, or not at all
            except FileExistsError:
                return claim.read_text(encoding="utf-8")
            finally:
                mine.unlink(missing_ok=True)
        except OSError:
            return self._shard
        return self._shard


_current = Claims(None, "")


def current_claims() -> Claims:
    """What the running test may tell: everything unless ``claiming`` says otherwise."""
    return _current


@contextmanager
def claiming(folder: Path | None) -> Iterator[Claims]:
    """The machine that runs meanwhile shares its bugs with others by this folder; None: none."""
    global _current
    previous, _current = _current, Claims(folder, node_id())
    try:
        yield _current
    finally:
        _current = previous
