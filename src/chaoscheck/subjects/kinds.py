"""The kinds of subjects: what their factory is probed with, and which methods they must have.

A kind is probed before any test runs: its factory is called once with legal settings, so that a
wrong signature or a missing method is a usage error and not a broken law.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.reorder_buffer import ReorderBuffer
from chaoscheck.components.retry import Retry
from chaoscheck.errors import PlanError
from chaoscheck.world.ambient import uniform

__all__ = ["KINDS", "Kind", "probe"]


async def _no_sleep(seconds: float) -> None:
    """What a probed subject may wait with: it is not asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind: ``ours`` is the default factory.

    ``awaited`` are the methods that are awaited, ``plain`` those that are called or read.
    ``callbacks`` are, per awaited method, the positions of arguments that are async functions
    of ours, which an asyncio subject must be able to await.
    """

    name: str
    ours: Callable[..., Any]
    #: Arguments for a probe, given an empty folder.
    probe_args: Callable[[Path], tuple[Any, ...]] = lambda folder: ()
    probe_kwargs: Mapping[str, Any] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    callbacks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="aimd_throttle",
            ours=AimdThrottle,
            probe_kwargs={
                "min_dispatch_delay_ms": 0.0,
                "max_dispatch_delay_ms": 5000.0,
                "backoff_multiplier": 2.0,
                "recovery_step_ms": 50.0,
            },
            plain=("current_delay_ms", "on_capacity_error", "on_success", "record_wait", "stats"),
        ),
        Kind(
            name="retry",
            ours=Retry,
            probe_args=lambda folder: (3, 1.0, 60.0),
            probe_kwargs={"shape": "exponential", "uniform": uniform, "sleep": _no_sleep},
            awaited=("call",),
            callbacks={"call": (0,)},
        ),
        Kind(
            name="reorder_buffer",
            ours=ReorderBuffer,
            probe_args=lambda folder: (4,),
            plain=("outstanding", "complete", "evict", "take_ready"),
            awaited=("reserve",),
        ),
        Kind(
            name="pooled_executor",
            ours=PooledExecutor,
            probe_args=lambda folder: (2, 30.0),
            probe_kwargs={
                "throttle": AimdThrottle(),
                "retry": Retry(3, 1.0, 60.0),
                "retry_after_max_s": 120.0,
                "on_attempt": lambda event: None,
            },
            plain=("in_flight", "close"),
            awaited=("execute_batch",),
            callbacks={"execute_batch": (1,)},
        ),
        Kind(
            name="audit_trail",
            ours=AuditRecorder.at,
            probe_args=lambda folder: (folder / "probe.db",),
            plain=(
                "begin_run",
                "known_rows",
                "recover",
                "begin_row",
                "resume_row",
                "complete_row",
                "fail_row",
                "evict_row",
                "begin_call",
                "end_call",
                "export",
                "close",
            ),
        ),
    )
}


def probe(kind: Kind, factory: Callable[..., Any], where: str, *, make: Callable[..., Any]) -> None:
    """Build one subject by ``make`` and look at its methods; PlanError says what is wrong with it.

    ``make`` is the factory itself, or calls it where its runtime needs that.
    """
    if not callable(factory):
        raise PlanError(f"{where} is no factory: it is a {type(factory).__name__}")
    with TemporaryDirectory() as folder:
        args = kind.probe_args(Path(folder))
        try:
            subject = make(*args, **kind.probe_kwargs)
        except Exception as error:
            raise PlanError(
                f"{where} cannot build a {kind.name}: {type(error).__name__}: {error}. Its "
                f"factory is called as {_shown_call(args, kind.probe_kwargs)}"
            ) from error
        try:
            _require_methods(kind, subject, where)
        finally:
            if "close" in kind.plain and hasattr(subject, "close"):
                subject.close()


def _require_methods(kind: Kind, subject: Any, where: str) -> None:
    missing = [name for name in (*kind.plain, *kind.awaited) if not hasattr(subject, name)]
    if missing:
        raise PlanError(f"{where} makes no {kind.name}: it lacks {', '.join(missing)}")
    for name in kind.awaited:
        if not inspect.iscoroutinefunction(getattr(subject, name)):
            raise PlanError(f"{where} makes no {kind.name}: {name} must be an async method")


def _shown_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    shown = ["a path" if isinstance(value, Path) else repr(value) for value in args]
    shown += [f"{name}=…" for name in kwargs]
    return f"make({', '.join(shown)})"
