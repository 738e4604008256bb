"""Presets: plans by name."""

from __future__ import annotations

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.catalogue import FAULTS, HEADER_FAULTS
from chaoscheck.plan.documents.plan_document import plan_from_json, plan_to_json
from chaoscheck.plan.documents.presets import PRESETS, preset
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import TokenLimit


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_legal_plan_that_can_be_written(name: str) -> None:
    """I take a preset, write it to a file, change it and read it back."""
    plan = preset(name).plan

    assert plan == plan_from_json(plan_to_json(plan))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_it_does(name: str) -> None:
    """A list of presets tells me which one to take, in a line each."""
    assert name == preset(name).name
    assert 10 < len(preset(name).description) <= 80
    assert "\n" not in preset(name).description


def test_the_presets_are_those_that_are_promised() -> None:
    """The names are part of the command line."""
    assert (
        "silent",
        "gentle",
        "realistic",
        "stress",
        "stress_aimd",
        "stress_extreme",
        "chaos",
    ) == tuple(PRESETS)


def test_silent_is_silence() -> None:
    """Without a fault the server is a plain mock."""
    assert FaultPlan() == preset("silent").plan


def test_presets_get_harsher() -> None:
    """Each of the graded presets hits more requests than the one before it."""
    graded = ("silent", "gentle", "realistic", "stress", "stress_extreme")
    shares = [sum(rate for _, rate in preset(name).plan.rates) for name in graded]

    assert sorted(shares) == shares
    assert len(shares) == len(set(shares))


def test_stress_extreme_hits_about_60_percent_and_never_stalls() -> None:
    """Its speed is measured, so nothing in it waits for long."""
    plan = preset("stress_extreme").plan
    stream_only = {"cut_stream", "missing_done", "duplicate_chunks", "error_event_after_content"}
    share = sum(rate for fault, rate in plan.rates if fault.name not in stream_only)

    assert 0.6 == pytest.approx(share)
    assert not [fault for fault, _ in plan.rates if fault.name.startswith("stall")]
    assert all(getattr(fault, "delay_s", 0) <= 0.05 for fault, _ in plan.rates)


def test_stress_aimd_lets_a_client_that_slows_down_through() -> None:
    """Its limit goes by load, so backing off pays."""
    assert any(isinstance(limit, TokenLimit) for limit in preset("stress_aimd").plan.limits)


def test_chaos_has_every_fault() -> None:
    """A bit of everything is everything."""
    plan = preset("chaos").plan

    assert set(FAULTS) - set(HEADER_FAULTS) == {type(fault) for fault, _ in plan.rates}
    assert set(HEADER_FAULTS) == {type(fault) for fault, _ in plan.headers}


def test_an_unknown_preset_is_told_the_nearest() -> None:
    """A misspelt name costs me no look at the manual."""
    with pytest.raises(PlanError, match="unknown preset 'stres'; did you mean 'stress'"):
        preset("stres")
