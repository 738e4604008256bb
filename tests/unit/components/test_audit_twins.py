"""Each wrong audit is caught by the law it breaks, and the right one by none."""

from __future__ import annotations

import pytest

from chaoscheck.checks.verdict import Verdict
from chaoscheck.components.audit_errors import AuditConflict
from properties.audited_process import Parts
from properties.test_audit_trail import CrashPoint, lives
from tests.unit.components.audit_twins import AUDIT_TWINS, AuditTwin

# The first row is retried and fails, the second gets a defective 200, the third succeeds.
FAULTS = ["status_500", "truncated_json", "reset_mid_body", "status_429", "invalid_json"]


def live_and_die(parts: Parts) -> None:
    """A life to its end, then lives that die at one write after another, each with its sequel."""
    crashes = [None, *(CrashPoint(number=number, when="after") for number in range(3, 80, 3))]
    for crash in crashes:
        with lives(FAULTS, rows=3, parts=parts) as these:
            if crash is not None:
                these.live(crash)
            these.live()


def verdict_of_giving_up(parts: Parts) -> Verdict:
    """Two rows whose calls are under way are evicted, then everything comes to rest."""
    with lives(["stall_before_headers", "stall_mid_body"], rows=2, parts=parts) as these:
        return these.give_up()


@pytest.mark.parametrize("twin", AUDIT_TWINS, ids=lambda twin: twin.name)
def test_the_law_catches_the_twin(twin: AuditTwin) -> None:
    """A wrong audit does not get past the law that forbids it.

    Those that show only after a certain crash take up to 0.5 s.
    """
    if twin.given_up:
        assert twin.law in verdict_of_giving_up(twin.parts).laws
        return
    with pytest.raises((AssertionError, AuditConflict), match=twin.law):
        live_and_die(twin.parts)


def test_the_right_audit_passes_all_of_it() -> None:
    """The laws refuse no audit that is right. Takes 0.5 s: it lives and dies 26 times."""
    live_and_die(Parts())
    assert verdict_of_giving_up(Parts()).ok
