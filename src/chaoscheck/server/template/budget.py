"""A budget of work and size: what bounds a template's time and memory, the same on every machine.

Theory of operation. A limit in seconds would make replies depend on the machine, and one that
another process enforces would have the server wait for it. So work is counted instead: whatever an
evaluation does costs units in proportion to its time, and is charged *before* it is done where its
size can be told beforehand. One unit is about a microsecond: one step of the evaluation, 1024
characters looked at, 128 characters made, or one item of a list made. All that is made is charged,
so the budget bounds the memory as well: 128 characters a unit, at most 4 bytes each.
"""

from __future__ import annotations

__all__ = ["ITEMS_MAX", "TEXT_LENGTH_MAX", "UNITS", "Budget", "OverBudget"]

UNITS = 50_000  # of one rendering: 50 ms, so that other clients of the server notice nothing
TEXT_LENGTH_MAX = 1_000_000  # characters of any text made, and of the reply: 250 000 tokens
ITEMS_MAX = 20_000  # of a list or a range

_LOOKED_AT_PER_UNIT = 1024  # characters: a search or a comparison takes a nanosecond for each
_SEARCHED_PER_UNIT = 256
_MADE_PER_UNIT = 128  # characters


class OverBudget(Exception):
    """A template asks for more work, text or items than a reply may take."""


class Budget:
    """What one rendering may still do; OverBudget once it is used up."""

    __slots__ = ("left",)

    def __init__(self, units: int = UNITS) -> None:
        self.left = units

    def spend(self, units: int = 1) -> None:
        """Charge so many units."""
        self.left -= units
        if self.left < 0:
            raise OverBudget("it takes more work than a reply may")

    def look_at(self, *texts: str) -> None:
        """Charge for an operation that goes over each of the texts once."""
        self.spend(1 + sum([len(text) for text in texts]) // _LOOKED_AT_PER_UNIT)

    def search(self, *texts: str) -> None:
        """Charge for a search in the texts, which is a few times slower than going over them."""
        self.spend(1 + sum([len(text) for text in texts]) // _SEARCHED_PER_UNIT)

    def make_text(self, length: int) -> None:
        """Charge for a text of so many characters, which is about to be made or just was."""
        if length > TEXT_LENGTH_MAX:
            raise OverBudget(f"it says more than {TEXT_LENGTH_MAX} characters")
        self.spend(1 + length // _MADE_PER_UNIT)

    def made(self, text: str) -> str:
        """``text``, charged: for what is at most a few times as long as what it was made from."""
        self.make_text(len(text))
        return text

    def make_items(self, count: int) -> None:
        """Charge for a list of so many items, which is about to be made."""
        if count > ITEMS_MAX:
            raise OverBudget(f"it makes more than {ITEMS_MAX} items")
        self.spend(1 + max(count, 0))
