"""The Hypothesis profiles that this repository and its users run under."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, settings
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


def test_registering_again_keeps_the_profile_in_force() -> None:
    """A plugin and a conftest may both register without changing what is loaded."""
    before = settings.get_current_profile_name()

    profiles.register()
    profiles.register()

    assert before == settings.get_current_profile_name()


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
