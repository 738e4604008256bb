"""Which faults the pipeline machines draw from."""

from __future__ import annotations

from chaoscheck.plan.catalogue import (
    CONNECTION_FAULTS,
    FAULTS,
    STREAM_FAULTS,
    TOOL_FAULTS,
    fault_class,
)
from chaoscheck.plan.fault import Fault

__all__ = ["CORE_FAULTS", "PLAIN_FAULTS", "STREAMED_FAULTS"]

Kinds = tuple[type[Fault], ...]

_ALSO_PLAIN = ("no_usage",)

# What strikes only a stream has no effect on plain replies, and the other way round; no row of the
# pipelines offers a tool.
_WITHOUT_TOOLS: Kinds = tuple(kind for kind in FAULTS if kind not in TOOL_FAULTS)
PLAIN_FAULTS: Kinds = tuple(
    kind for kind in _WITHOUT_TOOLS if kind not in STREAM_FAULTS or kind.name in _ALSO_PLAIN
)
STREAMED_FAULTS: Kinds = tuple(
    kind for kind in _WITHOUT_TOOLS if not kind.name.startswith("content_length_")
)

# A few of each family, for machines whose laws are about something else than the faults.
CORE_FAULTS: Kinds = (
    *map(fault_class, ("status_429", "status_500", "status_503", "status_400")),
    *CONNECTION_FAULTS,
    *map(fault_class, ("invalid_json", "truncated_json", "duplicate_keys", "content_length_long")),
    *map(fault_class, ("broken_chunking", "retry_after_http_date", "retry_after_garbage")),
)
