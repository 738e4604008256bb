"""Rate-limit headers as each provider sends them with good answers and with 429.

OpenAI: ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``, resets as Go durations (API
reference, rate limits). Azure: the two that remain. Anthropic: ``anthropic-ratelimit-*``, resets
as RFC 3339 instants. OpenRouter: ``X-RateLimit-*`` with a 429 alone, the reset in milliseconds
since the epoch. What no limit of the plan counts has the numbers of an account with plenty left.
Under a quota of tokens every answer bears the headers, whatever its status.
"""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime

from chaoscheck.server.limit_state import Standing, Standings

__all__ = ["LAST_INSTANT_S", "duration_text", "instant_of", "rate_headers"]

Headers = tuple[tuple[str, str], ...]

# An account that nothing limits: 10 000 requests and 2 000 000 tokens a minute, and this request
# is the only one of the last minute, with 1 000 tokens.
_UNLIMITED = Standing(limit=10_000, remaining=9_999, reset_s=0.006)
# A 429 that no limit of the plan explains says that nothing remains for a second.
_EXHAUSTED = Standing(limit=10_000, remaining=0, reset_s=1.0)
_TOKENS = Standing(limit=2_000_000, remaining=1_999_000, reset_s=0.03)

LAST_INSTANT_S = 253_402_300_799  # 9999-12-31T23:59:59Z: RFC 3339 has four digits for a year


def rate_headers(
    provider: str, standings: Standings | None, at_s: float, *, status: int = 200
) -> Headers:
    """The rate-limit headers of an answer with ``status``: of good ones and of 429, else none.

    ``provider`` is its name; unknown ones send none. ``standings`` is how the caller stands with
    the plan's limits once this request is charged; without it the headers are those of an account
    that nothing limits. ``at_s`` is the calendar in seconds since the Unix epoch.
    """
    if standings is not None:
        bears = _bears(status) or any(standings[1:])
        return _headers(provider, standings, at_s, status) if bears else ()
    return _unlimited(provider, instant_of(provider, at_s), status)


def instant_of(provider: str, at_s: float) -> int:
    """What of ``at_s`` the headers of an account without limits depend on.

    Only Anthropic's and OpenRouter's resets change, once a second.
    """
    return int(at_s) if provider in _DATED else 0


_DATED = frozenset({"anthropic", "openrouter"})


@functools.lru_cache(maxsize=64)
def _unlimited(provider: str, at_s: int, status: int) -> Headers:
    if not _bears(status):
        return ()
    requests = _EXHAUSTED if status == 429 else _UNLIMITED
    return _headers(provider, Standings(requests=requests), at_s, status)


def _bears(status: int) -> bool:
    return status < 400 or status == 429


def _headers(provider: str, standings: Standings, at_s: float, status: int) -> Headers:
    requests = standings.requests or _UNLIMITED
    counted = [standing for standing in standings[1:] if standing is not None]
    # Where several quotas of tokens stand, the plain header tells of the tightest, as Anthropic's.
    tokens = min(counted, key=lambda standing: standing.remaining, default=_TOKENS)
    match provider:
        case "azure" if not counted:
            return (
                ("x-ratelimit-remaining-requests", str(requests.remaining)),
                ("x-ratelimit-remaining-tokens", str(tokens.remaining)),
            )
        case "openai" | "azure":
            return _openai("requests", requests) + _openai("tokens", tokens)
        case "anthropic":
            return (
                _anthropic("requests", requests, at_s)
                + _anthropic("tokens", tokens, at_s)
                + _anthropic("input-tokens", standings.input_tokens, at_s)
                + _anthropic("output-tokens", standings.output_tokens, at_s)
            )
        case "openrouter" if status == 429:
            tightest = tokens if standings.requests is None and counted else requests
            return (
                ("X-RateLimit-Limit", str(tightest.limit)),
                ("X-RateLimit-Remaining", str(tightest.remaining)),
                ("X-RateLimit-Reset", str(_whole_seconds(at_s + tightest.reset_s) * 1000)),
            )
        case _:
            return ()


def _openai(what: str, standing: Standing) -> Headers:
    return (
        (f"x-ratelimit-limit-{what}", str(standing.limit)),
        (f"x-ratelimit-remaining-{what}", str(standing.remaining)),
        (f"x-ratelimit-reset-{what}", duration_text(standing.reset_s)),
    )


def _anthropic(what: str, standing: Standing | None, at_s: float) -> Headers:
    if standing is None:
        return ()
    reset = datetime.fromtimestamp(_whole_seconds(at_s + standing.reset_s), tz=UTC)
    return (
        (f"anthropic-ratelimit-{what}-limit", str(standing.limit)),
        (f"anthropic-ratelimit-{what}-remaining", str(standing.remaining)),
        (f"anthropic-ratelimit-{what}-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
    )


def _whole_seconds(at_s: float) -> int:
    # Rounded up: whoever waits until then has waited long enough.
    return min(math.ceil(at_s - 1e-6), LAST_INSTANT_S)


def duration_text(seconds: float) -> str:
    """A duration as Go writes it, rounded up to a millisecond: ``0s``, ``6ms``, ``1m30.5s``."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if milliseconds <= 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    whole, fraction = divmod(rest, 1000)
    text = f"{whole}.{fraction:03d}".rstrip("0").rstrip(".") if fraction else str(whole)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{text}s"
    return f"{minutes}m{text}s" if minutes else f"{text}s"
