"""What ``serve --record``, ``--upstream`` and ``--replay`` ask for, checked and opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.server.replay.recording_file import RecordingFile, read_recording
from chaoscheck.server.replay.replay import Replay
from chaoscheck.server.replay.source import AnswerSource

__all__ = ["UPSTREAM_TIMEOUT_MAX_S", "ChosenSource"]

UPSTREAM_TIMEOUT_MAX_S = 3600.0

_CLOSE_MAX_S = 0.5  # a server ends within 2 s, also where its upstream does not take our end


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSource:
    """Where good answers come from: ``record`` with its ``upstream``, ``replay``, or neither.

    PlanError for options that do not go together, a recording that cannot be read and a URL that
    is none; nothing is opened or made before ``opened``.
    """

    record: Path | None = None
    upstream: str | None = None
    upstream_timeout_s: float | None = None
    replay: Path | None = None

    def check(self) -> Replay | None:
        """Look at everything that can be wrong; the replay, if it is one."""
        if (self.record is None) != (self.upstream is None):
            raise PlanError("--record FILE and --upstream URL go together")
        if self.record is not None and self.replay is not None:
            raise PlanError("--record and --replay exclude each other")
        timeout_s = self.upstream_timeout_s
        if timeout_s is not None and self.upstream is None:
            raise PlanError("--upstream-timeout goes with --upstream URL")
        if timeout_s is not None and not 0 < timeout_s <= UPSTREAM_TIMEOUT_MAX_S:
            raise PlanError(
                f"--upstream-timeout must be in (0, {UPSTREAM_TIMEOUT_MAX_S:g}] seconds, "
                f"got {timeout_s:g}"
            )
        if self.upstream is not None:
            from chaoscheck.server.replay.upstream import require_upstream

            require_upstream(self.upstream)
        return None if self.replay is None else Replay(read_recording(self.replay))

    @asynccontextmanager
    async def opened(self, replay: Replay | None) -> AsyncIterator[AnswerSource | None]:
        """The source, while it is open; WorldError at the end if a recording lacks anything."""
        if self.record is None or self.upstream is None:
            yield replay
            return
        # httpx takes 100 ms to import, which only this mode needs.
        from chaoscheck.server.replay.upstream import TIMEOUT_S, Upstream

        file = RecordingFile(self.record)
        upstream = Upstream(self.upstream, file, timeout_s=self.upstream_timeout_s or TIMEOUT_S)
        try:
            yield upstream
        except BaseException:
            with suppress(WorldError):
                file.close()
            raise
        finally:
            import trio

            with trio.move_on_after(_CLOSE_MAX_S, shield=True):
                await upstream.aclose()
        file.close()
