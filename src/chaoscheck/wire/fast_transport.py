"""FastTransport: httpx at a fraction of its CPU, ``httpx.AsyncClient(transport=FastTransport())``.

A fast path for load and search, held equal to httpx's own pool by a contract test.
"""

from __future__ import annotations

import httpx

from chaoscheck.wire.client_transport import ClientLibrary, ClientTransport, ResponseBody

__all__ = ["FastTransport"]


class _Body(ResponseBody, httpx.AsyncByteStream):
    """A body that httpx takes for one of its own."""


class FastTransport(ClientTransport, httpx.AsyncBaseTransport):
    """Stands in for ``httpx.AsyncHTTPTransport`` on trio, in any world; see ClientTransport."""

    library = ClientLibrary.of(httpx, body=_Body)
