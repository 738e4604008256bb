"""What the refusal of an illegal setting must say."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["names_the_setting_at_fault"]


def names_the_setting_at_fault(error: Exception, settings: Mapping[str, object]) -> bool:
    """Whether the error names one of ``settings``, its legal range, and the value that it got."""
    found = re.match(r"(?P<name>\w+) must be .+, got (?P<value>.+)$", str(error), re.DOTALL)
    if found is None or found["name"] not in settings:
        return False
    return found["value"] == repr(settings[found["name"]])
