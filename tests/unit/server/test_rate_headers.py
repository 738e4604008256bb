"""Rate-limit headers: each provider's own, truthful to the plan's limits."""

from __future__ import annotations

import pytest

from chaoscheck.server.limit_state import Standing, Standings
from chaoscheck.server.rate_headers import duration_text, rate_headers

AT_S = 1_767_225_600.25  # 2026-01-01T00:00:00.25Z
STANDING = Standings(requests=Standing(limit=60, remaining=12, reset_s=61.5))


def _headers(provider: str, standing: Standings | None, status: int = 200) -> dict[str, str]:
    return dict(rate_headers(provider, standing, AT_S, status=status))


@pytest.mark.parametrize(
    ("provider", "status", "expected"),
    [
        (
            "openai",
            200,
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "12",
                "x-ratelimit-reset-requests": "1m1.5s",
                "x-ratelimit-limit-tokens": "2000000",
                "x-ratelimit-remaining-tokens": "1999000",
                "x-ratelimit-reset-tokens": "30ms",
            },
        ),
        (
            "azure",
            200,
            {"x-ratelimit-remaining-requests": "12", "x-ratelimit-remaining-tokens": "1999000"},
        ),
        (
            "anthropic",
            429,
            {
                "anthropic-ratelimit-requests-limit": "60",
                "anthropic-ratelimit-requests-remaining": "12",
                "anthropic-ratelimit-requests-reset": "2026-01-01T00:01:02Z",
                "anthropic-ratelimit-tokens-limit": "2000000",
                "anthropic-ratelimit-tokens-remaining": "1999000",
                "anthropic-ratelimit-tokens-reset": "2026-01-01T00:00:01Z",
            },
        ),
        ("openrouter", 200, {}),
        (
            "openrouter",
            429,
            {
                "X-RateLimit-Limit": "60",
                "X-RateLimit-Remaining": "12",
                "X-RateLimit-Reset": "1767225662000",
            },
        ),
        ("nobody", 200, {}),
    ],
)
def test_each_provider_says_it_in_its_own_words(
    provider: str, status: int, expected: dict[str, str]
) -> None:
    """A client that reads its provider's headers finds them, as true as the plan's limit."""
    assert expected == _headers(provider, STANDING, status)


@pytest.mark.parametrize("provider", ["openai", "azure", "anthropic", "openrouter"])
@pytest.mark.parametrize("standing", [None, STANDING])
def test_other_errors_say_nothing_about_limits(provider: str, standing: Standings | None) -> None:
    """A 500 comes from behind the limiter or from before it: it knows of no limit."""
    assert {} == _headers(provider, standing, 500)


def test_without_a_limit_there_is_plenty_left() -> None:
    """A plan without limits never tells a client to slow down."""
    assert "9999" == _headers("openai", None)["x-ratelimit-remaining-requests"]


def test_a_429_says_that_nothing_is_left() -> None:
    """A 429 that a rate chose does not contradict itself."""
    said = _headers("openai", None, 429)

    assert ("0", "1s") == (
        said["x-ratelimit-remaining-requests"],
        said["x-ratelimit-reset-requests"],
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "1ms"),
        (0.006, "6ms"),
        (0.3, "300ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (86_400.25, "24h0m0.25s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    """What clients of OpenAI parse: rounded up to a millisecond."""
    assert text == duration_text(seconds)


def test_a_reset_beyond_the_calendar_is_its_last_instant() -> None:
    """A limit that refills in centuries still gives a date that a client can parse."""
    said = dict(rate_headers("anthropic", Standings(requests=Standing(1, 0, 1e12)), AT_S))

    assert "9999-12-31T23:59:59Z" == said["anthropic-ratelimit-requests-reset"]


TOKENS = Standings(
    tokens=Standing(limit=900, remaining=600, reset_s=30.0),
    input_tokens=Standing(limit=500, remaining=20, reset_s=12.5),
    output_tokens=Standing(limit=100, remaining=80, reset_s=1.0),
)


@pytest.mark.parametrize("status", [200, 400, 429, 500])
@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_under_a_token_quota_every_answer_tells_of_the_tightest(provider: str, status: int) -> None:
    """A client that paces itself by headers has them on good answers and on errors."""
    said = _headers(provider, TOKENS, status)

    assert ("500", "20", "12.5s") == (
        said["x-ratelimit-limit-tokens"],
        said["x-ratelimit-remaining-tokens"],
        said["x-ratelimit-reset-tokens"],
    )
    assert "9999" == said["x-ratelimit-remaining-requests"]


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_anthropic_tells_of_each_kind_of_tokens(status: int) -> None:
    """Input and output are told apart, and the plain header is that of the tightest."""
    said = _headers("anthropic", TOKENS, status)
    told = {
        kind: [said[f"anthropic-ratelimit-{kind}-{what}"] for what in ("limit", "remaining")]
        for kind in ("tokens", "input-tokens", "output-tokens")
    }

    assert {
        "tokens": ["500", "20"],
        "input-tokens": ["500", "20"],
        "output-tokens": ["100", "80"],
    } == told
    assert "2026-01-01T00:00:13Z" == said["anthropic-ratelimit-input-tokens-reset"]


def test_openrouter_tells_of_tokens_where_only_they_are_limited() -> None:
    """Its 429 has one limit: the one that stands."""
    assert "20" == _headers("openrouter", TOKENS, 429)["X-RateLimit-Remaining"]
    both = TOKENS._replace(requests=STANDING.requests)
    assert "12" == _headers("openrouter", both, 429)["X-RateLimit-Remaining"]
