"""The Hypothesis profiles that this repository and its users run under."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from chaoscheck import profiles


@pytest.mark.parametrize("name", ["dev", "ci", "nightly"])
def test_each_profile_keeps_its_failures_and_draws_afresh(name: str) -> None:
    """A failure that was found once is found again, and a run is not the copy of the last."""
    profiles.register()

    profile = settings.get_profile(name)

    assert isinstance(profile.database, DirectoryBasedExampleDatabase)
    assert (False, None, False) == (profile.derandomize, profile.deadline, profile.print_blob)
    assert profiles.MAX_EXAMPLES[name] == profile.max_examples
    assert (HealthCheck.too_slow,) == tuple(profile.suppress_health_check)
    assert (True, Phase.reuse in profile.phases) == (profile.report_multiple_bugs, True)
    assert Phase.explain not in profile.phases


def test_registering_again_keeps_the_profile_in_force() -> None:
    """A plugin and a conftest may both register without changing what is loaded."""
    before = settings.get_current_profile_name()

    profiles.register()
    profiles.register()

    assert before == settings.get_current_profile_name()


@pytest.mark.parametrize("name", ["dev", "no such profile"])
def test_asking_for_a_profile_registers_ours_only_where_there_is_none(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile of mine with the name of yours stays mine, and other names are not touched."""
    mine = {name: settings(max_examples=7)} if name == "dev" else {}
    monkeypatch.setattr(settings, "_profiles", {**settings._profiles, **mine})
    before = dict(settings._profiles)

    profiles.register_if_missing(name)

    assert before == settings._profiles


def test_a_profile_that_is_asked_for_is_there_without_a_conftest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``--hypothesis-profile nightly`` needs no line of code."""
    others = {name: each for name, each in settings._profiles.items() if name != "nightly"}
    monkeypatch.setattr(settings, "_profiles", others)

    profiles.register_if_missing("nightly")

    assert profiles.MAX_EXAMPLES["nightly"] == settings.get_profile("nightly").max_examples


@settings(max_examples=1, database=None)
@given(st.integers())
def failing(number: int) -> None:
    raise AssertionError(number)


@pytest.mark.parametrize(("profile", "printed"), [("dev", True), ("default", False)])
def test_a_property_that_fails_under_our_profiles_says_how_to_search_again(
    profile: str, printed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed is printed where I chose a profile of chaoscheck, and nowhere else."""
    monkeypatch.setattr(settings, "_current_profile", profile)
    with pytest.raises(AssertionError):
        failing()
    seed = failing._hypothesis_internal_use_generated_seed  # type: ignore[attr-defined]

    command = profiles.seed_command("test_it.py::test_it", failing)

    expected = f"pytest 'test_it.py::test_it' --hypothesis-seed={seed}"
    assert (expected if printed else None) == command


def test_the_database_is_on_where_ci_is_set() -> None:
    """On a CI machine failures are kept too.

    Hypothesis reads ``CI`` when it is imported, so this needs a process of its own: 0.4 s.
    """
    program = (
        "from hypothesis import settings\n"
        "from chaoscheck import profiles\n"
        "assert settings().derandomize and settings().database is None\n"
        "profiles.register()\n"
        "for name in profiles.MAX_EXAMPLES:\n"
        "    settings.load_profile(name)\n"
        "    print(name, settings().derandomize, settings().database is None)\n"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert ["dev False False", "ci False False", "nightly False False"] == printed.splitlines()
