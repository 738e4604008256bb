"""Which laws concern which component: the property files that must catch its mutants.

The files stand in the order in which they run: those that are about the component alone first,
whole pipelines last, since a mutant is done with at the first law that falls.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COMPONENTS", "PACKAGE", "module_of"]

PACKAGE = "chaoscheck.components"

_TRANSFORM = (
    "test_transform_ends",
    "test_openrouter_transform",
    "test_transform_life",
    "test_llm_pipeline",
)
_AUDIT = (
    "test_audit_files",
    "test_audit_rows",
    "test_audited_calls",
    "test_audit_subject",
    "test_audit_trail",
    "test_audited_pipeline",
)

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "aimd_throttle": ("test_aimd_throttle", "test_pooled_executor"),
    "audit_errors": _AUDIT,
    "audit_json": _AUDIT,
    "audit_recorder": _AUDIT,
    "audit_schema": _AUDIT,
    "audit_statements": _AUDIT,
    "audit_states": _AUDIT,
    "audit_trail": _AUDIT,
    "audited_calls": ("test_audited_calls", "test_audit_trail", "test_audited_pipeline"),
    "audited_run": (
        "test_audited_calls",
        "test_audit_files",
        "test_audit_trail",
        "test_audited_pipeline",
    ),
    "llm_reply": _TRANSFORM,
    "llm_stream": ("test_streamed_reply", *_TRANSFORM),
    "number_limits": (
        "test_aimd_throttle",
        "test_retry",
        "test_reorder_buffer",
        "test_pooled_executor",
    ),
    "openrouter_transform": _TRANSFORM,
    "output_port": _TRANSFORM,
    "pooled_executor": ("test_pooled_executor", "test_llm_pipeline"),
    "query": ("test_pooled_executor", "test_openrouter_transform"),
    "reorder_buffer": ("test_reorder_buffer",),
    "reply_json": ("test_streamed_reply", *_TRANSFORM),
    "retry": ("test_retry", "test_pooled_executor"),
    "retry_after": ("test_retry_after", "test_pooled_executor"),
}


def module_of(component: str) -> str:
    """The full name of a component's module."""
    return f"{PACKAGE}.{component}"
