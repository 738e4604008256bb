"""What a chaos server is told once, besides its plan: which APIs, which bounds, who steers it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from chaoscheck.errors import PlanError
from chaoscheck.history.exchange import Exchange
from chaoscheck.server.apis.routes import PROVIDERS as _SERVED
from chaoscheck.server.cross_origin import CrossOrigin
from chaoscheck.server.replay.source import AnswerSource
from chaoscheck.suggestions import unknown_name
from chaoscheck.wire.request_codec import Limits

__all__ = ["LEDGER_LIMIT", "PROVIDERS", "ServerSettings"]

LEDGER_LIMIT = 10_000  # exchanges, about 1 kB each

PROVIDERS: tuple[str, ...] = tuple(provider.name for provider in _SERVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The settings of a chaos server; PlanError for an unknown provider or an empty token.

    ``providers`` are those whose APIs are served, by name; None serves all. With an
    ``admin_token`` the admin endpoints answer whoever bears it. ``ledger_limit`` exchanges are
    kept in memory, and ``sink`` is told of each as it is entered. ``limits`` bound the requests
    that are read. A ``source`` gives the good answers, such as a replay or an upstream; by
    default the server's own APIs make them. With ``worker_thread`` what takes long to answer is
    answered on a thread, while others are served: only for a server in real time.
    Pages of the ``cors_origins`` may ask from a browser.
    """

    providers: Collection[str] | None = None
    admin_token: str | None = None
    ledger_limit: int = LEDGER_LIMIT
    sink: Callable[[Exchange], object] | None = None
    limits: Limits = field(default_factory=Limits)
    source: AnswerSource | None = None
    worker_thread: bool = False
    cors_origins: Collection[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.providers, str):
            raise PlanError(f"providers must be a collection of names, got {self.providers!r}")
        for name in self.providers or ():
            if name not in PROVIDERS:
                raise PlanError(unknown_name("provider", name, PROVIDERS))
        CrossOrigin(self.cors_origins)
        if self.admin_token is not None and not self.admin_token:
            raise PlanError("admin_token must not be empty")
