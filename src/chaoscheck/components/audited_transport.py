"""AuditedTransport: an httpx transport whose every request is a call of the audit."""

from __future__ import annotations

import httpx

from chaoscheck.components.audited_calls import AuditedBody, AuditedHandling

__all__ = ["AuditedTransport"]


class _Body(AuditedBody, httpx.AsyncByteStream):
    """A body that httpx accepts."""


class AuditedTransport(AuditedHandling, httpx.AsyncBaseTransport):
    """``httpx.AsyncClient(transport=AuditedTransport(httpx.AsyncHTTPTransport(), recorder))``."""

    body_type = _Body
