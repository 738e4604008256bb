"""FastTransport2: for httpx2 what ``FastTransport`` is for httpx."""

from __future__ import annotations

import httpx2

from chaoscheck.wire.client_transport import ClientLibrary, ClientTransport, ResponseBody

__all__ = ["FastTransport2"]


class _Body(ResponseBody, httpx2.AsyncByteStream):
    """A body that httpx2 takes for one of its own."""


class FastTransport2(ClientTransport, httpx2.AsyncBaseTransport):
    """Stands in for ``httpx2.AsyncHTTPTransport`` on trio, in any world; see ClientTransport."""

    library = ClientLibrary.of(httpx2, body=_Body)
