"""Documents of many vectors: made at once where they are small, else piece by piece while sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chaoscheck.plan.answer import Parts

__all__ = ["AT_ONCE_MAX", "body_or_parts"]

AT_ONCE_MAX = 20_000  # numbers of a document that is made at once: some 15 ms of work


def body_or_parts(
    make: Callable[[], Iterator[bytes]], numbers: int, size: int
) -> tuple[bytes, Parts | None]:
    """The whole document, or else its parts.

    ``make`` makes it vector by vector; it holds ``numbers`` numbers in at most ``size`` bytes.
    """
    if numbers <= AT_ONCE_MAX:
        return b"".join(make()), None
    return b"", Parts(make, size)
