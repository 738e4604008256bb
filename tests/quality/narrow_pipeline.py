"""The pipeline machine with little chaos, for bugs that need one kind of fault.

The laws are those of ``properties/test_llm_pipeline.py``, all of them. Only the faults are few,
and a story has few rows: one example of the whole pipeline takes some 70 ms, and a search with
its shrinking runs hundreds of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from chaoscheck import Fault
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.plan.catalogue import (
    BODY_FAULTS,
    CONNECTION_FAULTS,
    HEADER_FAULTS,
    STATUS_FAULTS,
    STREAM_FAULTS,
)
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.reset_before_headers import ResetBeforeHeaders
from chaoscheck.plan.faults.slow_response import SlowResponse
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from models.llm_fates import STREAM_FATES, Fate
from properties.test_llm_pipeline import POOL, LLMPipeline

__all__ = [
    "BodyPipeline",
    "ConnectionPipeline",
    "Faults",
    "HeaderPipeline",
    "NarrowPipeline",
    "OneByOnePipeline",
    "StatusPipeline",
    "StreamPipeline",
]

Faults = tuple[type[Fault], ...]


class NarrowPipeline(LLMPipeline):
    """Rows, eviction, time and a few faults of the server; the link and the load are well."""

    faults: ClassVar[Faults] = (
        Status429,
        Status500,
        InvalidJson,
        SlowResponse,
        ResetBeforeHeaders,
    )
    links: ClassVar[tuple[str, ...]] = ()
    # Rules of the whole pipeline that are left out.
    cut = half_close = refuse = reset = heal_link = None
    cap_concurrency: Any = None
    limit_rate: Any = None
    slow_link: Any = None

    #: More than the slots, the connections and the room for pending rows.
    rows_max: ClassVar[int] = 8
    executor_type: ClassVar[type[PooledExecutor]] = PooledExecutor

    def make_executor(self) -> PooledExecutor:
        """The pool of the whole pipeline, or a wrong one."""
        return self.executor_type(
            POOL.pool_size,
            POOL.max_seconds,
            throttle=self.make_throttle(),
            retry=self.make_retry(),
            on_attempt=self.attempts.append,
        )


class OneByOnePipeline(NarrowPipeline):
    """Faults come one by one and not by rate: a story has no more of them than it needs."""

    set_rate = None
    cancels: ClassVar[bool] = False
    cancel: Any = None


class StatusPipeline(OneByOnePipeline):
    """Errors that the provider answers in its own words."""

    faults: ClassVar[Faults] = STATUS_FAULTS


class ConnectionPipeline(OneByOnePipeline):
    """Connections that misbehave."""

    faults: ClassVar[Faults] = CONNECTION_FAULTS


class BodyPipeline(OneByOnePipeline):
    """Good answers with something wrong in their body."""

    faults: ClassVar[Faults] = BODY_FAULTS


class HeaderPipeline(OneByOnePipeline):
    """Errors whose Retry-After is odd."""

    faults: ClassVar[Faults] = HEADER_FAULTS


class StreamPipeline(OneByOnePipeline):
    """Streamed answers with something wrong in the stream."""

    faults: ClassVar[Faults] = STREAM_FAULTS
    streaming: ClassVar[bool] = True
    fates: ClassVar[Mapping[str | None, frozenset[Fate]]] = STREAM_FATES
