"""The catalogue: every check is there, by its name."""

from __future__ import annotations

from chaoscheck.checks import catalogue


def test_the_catalogue_lists_what_it_has() -> None:
    """Each name is there, once, sorted, and can be imported."""
    assert sorted(set(catalogue.__all__)) == catalogue.__all__
    assert all(hasattr(catalogue, name) for name in catalogue.__all__)
