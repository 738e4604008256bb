"""What a server keeps between requests is bounded."""

from __future__ import annotations

from chaoscheck.server.apis.store import BYTES_MAX, ENTRIES_MAX, Shelf, Store


def test_a_shelf_gives_back_what_was_put() -> None:
    """By its id, until it is taken."""
    shelf = Shelf()
    shelf.put("a", 1, 10)
    shelf.put("b", 2, 10)

    assert (1, None, None) == (shelf.get("a"), shelf.get("c"), shelf.get(None))
    assert [("b", 2), ("a", 1)] == list(shelf.newest_first())
    assert (1, None) == (shelf.take("a"), shelf.take("a"))
    assert 1 == len(shelf)


def test_the_oldest_goes_when_there_are_too_many() -> None:
    """However small they are."""
    shelf = Shelf()
    for number in range(ENTRIES_MAX + 1):
        shelf.put(str(number), number, 0)

    assert (None, 1, ENTRIES_MAX) == (shelf.get("0"), shelf.get("1"), len(shelf))


def test_the_oldest_go_when_they_are_too_large() -> None:
    """However few they are; what is put again counts once, what is too large is not kept."""
    shelf = Shelf()
    for _ in range(3):
        shelf.put("a", "a", BYTES_MAX // 2)
    shelf.put("b", "b", BYTES_MAX // 2)
    assert ("a", "b") == (shelf.get("a"), shelf.get("b"))

    shelf.put("c", "c", 1)
    assert (None, "b", "c") == (shelf.get("a"), shelf.get("b"), shelf.get("c"))

    shelf.put("d", "d", BYTES_MAX + 1)
    assert (None, 2) == (shelf.get("d"), len(shelf))


def test_kinds_do_not_mix() -> None:
    """A store has a shelf for each kind, and forgets them all at once."""
    store = Store()
    store.shelf("files").put("a", 1, 1)

    assert (1, None) == (store.shelf("files").get("a"), store.shelf("batches").get("a"))
    store.clear()
    assert store.shelf("files").get("a") is None


def test_an_object_that_has_grown_counts_as_what_it_is() -> None:
    """Its place stays, and what is older goes first; what is not kept cannot grow."""
    shelf = Shelf()
    shelf.put("a", "a", 1)
    shelf.put("b", "b", 1)
    shelf.put("c", "c", 1)
    shelf.resize("x", BYTES_MAX)
    shelf.resize("b", BYTES_MAX - 1)

    assert ["c", "b"] == [name for name, _ in shelf.newest_first()]
