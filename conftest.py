"""Profiles, and the rule by which stress tests are skipped, for ``tests/`` and ``properties/``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings

from chaoscheck import profiles

ROOT = Path(__file__).parent
STRESS = ROOT / "tests" / "stress"

# At import, so that modules collected later build their settings on it; --hypothesis-profile is
# read by Hypothesis's own plugin after this and wins.
profiles.register()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def stress_is_asked_for(markexpr: str, paths: Iterable[str]) -> bool:
    """Whether ``-m`` names stress, or a path of the command line lies below tests/stress."""
    if re.search(r"\bstress\b", markexpr):
        return True
    return any(Path(path.split("::")[0]).resolve().is_relative_to(STRESS) for path in paths)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip stress tests unless they were asked for; ``-m`` itself still selects."""
    if stress_is_asked_for(config.option.markexpr, config.args):
        return
    skip = pytest.mark.skip(reason="stress: ask with -m stress, or with a path below tests/stress")
    for item in items:
        if item.get_closest_marker("stress") is not None or item.path.is_relative_to(STRESS):
            item.add_marker(skip)
