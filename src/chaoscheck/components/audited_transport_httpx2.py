"""The AuditedTransport for httpx2, on which the openai SDK stands."""

from __future__ import annotations

import httpx2

from chaoscheck.components.audited_calls import AuditedBody, AuditedHandling

__all__ = ["AuditedTransport"]


class _Body(AuditedBody, httpx2.AsyncByteStream):
    """A body that httpx2 accepts."""


class AuditedTransport(AuditedHandling, httpx2.AsyncBaseTransport):
    """``httpx2.AsyncClient(transport=AuditedTransport(httpx2.AsyncHTTPTransport(), recorder))``."""

    body_type = _Body
