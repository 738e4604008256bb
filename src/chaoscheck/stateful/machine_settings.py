"""The Hypothesis settings of a machine: safe in virtual time without any profile."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase
from hypothesis import settings as Settings

# Theory of operation. Hypothesis runs a state machine without a deadline and without health
# checks, unless its author sets ``TestCase.settings``; so do we. But who sets max_examples alone
# gets the rest from the loaded profile, and so a deadline of 200 ms, which a busy computer
# exceeds: a story that fails once and never again. Time is virtual here, so what was only
# inherited gives way to what suits a machine; what was asked for stays.

__all__ = ["default_settings", "safe_settings"]


def default_settings() -> Settings:
    """What a machine runs with unless its author says otherwise, on top of the loaded profile."""
    return safe_settings(Settings(deadline=None, suppress_health_check=list(HealthCheck)))


def safe_settings(settings: Settings) -> Settings:
    """``settings`` without what they have from the profile alone and what means nothing here.

    That is a deadline, the health check ``too_slow`` (both measure the computer), and the phase
    ``explain`` (it would name lines of this engine, after many more runs).
    """
    profile = Settings.default
    assert profile is not None
    inherits_phases = settings.phases == profile.phases
    return Settings(
        settings,
        deadline=None if settings.deadline == profile.deadline else settings.deadline,
        suppress_health_check={*settings.suppress_health_check, HealthCheck.too_slow},
        phases=[
            phase for phase in settings.phases if not (inherits_phases and phase == Phase.explain)
        ],
    )
