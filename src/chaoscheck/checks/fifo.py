"""First in, first out: what leaves, leaves in the order of arrival.

What gave up (was evicted, cancelled, timed out) is passed over and must not leave afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError

__all__ = ["fifo"]


def fifo(
    arrivals: Iterable[Hashable],
    departures: Iterable[Hashable],
    *,
    given_up: Iterable[Hashable] = (),
) -> Verdict:
    """Judge ``departures`` so far against ``arrivals``, both identifiers in order.

    What has not left yet may still wait, as long as nobody who came later has left. PlanError if
    two arrivals share an identifier, or somebody gave up who never arrived.
    """
    came = list(arrivals)
    place = {each: number for number, each in enumerate(came)}
    if len(place) < len(came):
        twice = [each for number, each in enumerate(came) if place[each] != number]
        raise PlanError(f"arrivals must have identifiers of their own, got twice: {twice[:5]}")
    gone = set(given_up)
    strangers = sorted(repr(each) for each in gone if each not in place)
    if strangers:
        raise PlanError(f"given_up must name arrivals, got {strangers[:5]} that never arrived")
    left = list(departures)
    breaches = [*_strange(left, place, gone), *_overtaken(came, left, place, gone)]
    return Verdict.of(tuple(breaches))


def _strange(
    left: Sequence[Hashable], place: Collection[Hashable], gone: Collection[Hashable]
) -> Iterator[Breach]:
    """Departures that should not be at all."""
    seen: set[Hashable] = set()
    for each in left:
        if each not in place:
            yield Breach(
                law="never_arrived", what=f"{each!r} left but never came", evidence=(each,)
            )
        elif each in gone:
            yield Breach(
                law="left_after_giving_up", what=f"{each!r} gave up and left", evidence=(each,)
            )
        elif each in seen:
            yield Breach(law="left_twice", what=f"{each!r} left twice", evidence=(each,))
        seen.add(each)


def _overtaken(
    came: Sequence[Hashable],
    left: Sequence[Hashable],
    place: Collection[Hashable],
    gone: Collection[Hashable],
) -> Iterator[Breach]:
    """The first departure that should have been somebody else's."""
    lawful = (each for each in came if each not in gone)
    regular = [each for each in dict.fromkeys(left) if each in place and each not in gone]
    for each, due in zip(regular, lawful, strict=False):
        if each != due:
            yield Breach(
                law="fifo",
                what=f"{each!r} left before {due!r}, who came first",
                evidence=(due, each),
            )
            return
