"""From an answer to bytes: the quick way writes what the general one does."""

from __future__ import annotations

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.providers import ANTHROPIC, AZURE, JSON_TYPE, OPENAI, OPENROUTER, Provider
from chaoscheck.server.rate_headers import rate_headers
from chaoscheck.server.rendering import date_line, is_plain, plain_head, rendered
from chaoscheck.wire.request_codec import Request

GOOD = Answer(status=200, headers=(JSON_TYPE,), body=b"{}")
PROVIDERS = (OPENAI, OPENROUTER, ANTHROPIC)


def _request(method: str = "POST", version: str = "1.1", *, keep_alive: bool = True) -> Request:
    return Request(
        method=method, target="/", headers={}, body=b"", keep_alive=keep_alive, version=version
    )


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("at_s", [0.0, 1_767_225_600.7])
def test_the_quick_head_is_the_general_one(provider: Provider, at_s: float) -> None:
    """Speed changes not one byte of what I receive."""
    rates = rate_headers(provider.name, None, at_s)
    fresh = date_line(at_s) + provider.request_id_line("req_000007")
    wire = rendered(GOOD, provider.common_headers("req_000007") + rates, fresh, _request())

    assert wire.head == plain_head(GOOD, provider, "req_000007", at_s)


@pytest.mark.parametrize(
    ("answer", "provider", "request_"),
    [
        (GOOD, AZURE, _request()),
        (GOOD, OPENAI, _request(method="HEAD")),
        (GOOD, OPENAI, _request(version="1.0")),
        (GOOD, OPENAI, _request(keep_alive=False)),
        (Answer(status=200, body=b"{}", delay_s=1.0), OPENAI, _request()),
        (Answer(status=200, streamed=True), OPENAI, _request()),
    ],
)
def test_what_the_quick_way_cannot_say_goes_the_general_way(
    answer: Answer, provider: Provider, request_: Request
) -> None:
    """Headers that depend on the request, waits, streams and ends are not forgotten."""
    assert not is_plain(answer, provider, request_)


@pytest.mark.parametrize(
    ("at_s", "date"),
    [
        (0.0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_767_225_600.7, "Thu, 01 Jan 2026 00:00:00 GMT"),
        (1e12, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_a_date_is_written_as_http_wants_it(at_s: float, date: str) -> None:
    """An IMF-fixdate, in whole seconds; the calendar ends where its years have five digits."""
    assert f"date: {date}\r\n".encode() == date_line(at_s)
