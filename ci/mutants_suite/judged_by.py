"""Which laws concern which component: the property files that must catch its mutants.

The files stand in no order: tests that draw nothing run first, then cheap ones, since a mutant is
done with at the first that falls. Whole pipelines are not among them. They cost most of the time,
and a law that is sure to catch a mistake of one component is about that component.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COMPONENTS", "PACKAGE", "module_of"]

PACKAGE = "chaoscheck.components"

_REPLY = ("test_replies", "test_streamed_reply")
_POOL = ("test_pool_stories", "test_pool_slots")
_TRANSFORM = (
    "test_transform_stories",
    "test_transform_ends",
    "test_openrouter_transform",
    "test_transform_life",
)
_AUDIT = ("test_audit_errors", "test_audit_edges", "test_audit_files", "test_audit_rows")

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "aimd_throttle": ("test_aimd_throttle", *_POOL),
    "audit_errors": ("test_audit_errors", "test_audit_rows"),
    "audit_json": ("test_audit_rows",),
    "audit_recorder": _AUDIT,
    "audit_schema": ("test_audit_format", "test_audit_files"),
    "audit_statements": (*_AUDIT, "test_audit_export"),
    "audit_states": ("test_audit_format", "test_audit_edges", "test_audit_rows"),
    "audit_trail": _AUDIT,
    "audited_calls": ("test_audited_calls", "test_audited_ends"),
    "audited_run": ("test_audited_calls", "test_audited_run"),
    "llm_reply": _REPLY,
    "llm_stream": _REPLY,
    "number_limits": ("test_number_limits",),
    "openrouter_transform": _TRANSFORM,
    "output_port": _TRANSFORM,
    "pooled_executor": (*_POOL, "test_pooled_executor"),
    "query": ("test_replies", *_POOL, "test_transform_ends"),
    "reorder_buffer": ("test_reorder_buffer",),
    "reply_json": _REPLY,
    "retry": ("test_retry", *_POOL),
    "retry_after": ("test_retry_after", "test_replies"),
}


def module_of(component: str) -> str:
    """The full name of a component's module."""
    return f"{PACKAGE}.{component}"
