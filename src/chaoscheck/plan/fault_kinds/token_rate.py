"""The refusal of a request that asks for more tokens than are left in its quota's window."""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.status_fault import seconds_text
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.limits import TokenQuota

__all__ = ["TokenRateError", "TokenRateRefusal", "token_rate_error"]

_SPANS = {60.0: ("min", "TPM"), 3600.0: ("hour", "TPH"), 86400.0: ("day", "TPD")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRateError(ApiError):
    """A request for ``requested`` tokens, where ``used`` of ``limit`` are spent.

    ``counts`` are ``tokens``, ``input tokens`` or ``output tokens``; ``wait_s`` is how long the
    window lasts, None for a request that is larger than the limit.
    """

    limit: int
    used: int
    requested: int
    counts: str
    span: str
    wait_s: float | None


def token_rate_error(
    quota: TokenQuota, *, used: int, requested: int, model: str, wait_s: float | None
) -> TokenRateError:
    """The error in OpenAI's words; other providers write their own from its numbers.

    ``wait_s`` is how long the window lasts; None is for a request that never fits.
    """
    counts = "tokens" if quota.counts == "total" else f"{quota.counts} tokens"
    span, short = _SPANS.get(quota.every_s, (f"{quota.every_s:g} s", ""))
    what = f"{counts} per {span}{f' ({short})' if short else ''}"
    asked = f"for {model[:100]} on {what}: Limit {quota.tokens}"
    if wait_s is None:
        message = (
            f"Request too large {asked}, Requested {requested}. The input or output tokens must be"
            " reduced in order to run successfully."
        )
    else:
        message = (
            f"Rate limit reached {asked}, Used {used}, Requested {requested}. Please try again in"
            f" {seconds_text(wait_s)}s."
        )
    return TokenRateError(
        message=message,
        type="tokens",
        code="rate_limit_exceeded",
        limit=quota.tokens,
        used=used,
        requested=requested,
        counts=counts,
        span=span,
        wait_s=wait_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TokenRateRefusal(Status429):
    """A ``status_429`` that says which quota is spent; reports name it as that fault."""

    asks: TokenRateError | None = None

    def told(self) -> ApiError:
        """The error with the quota's numbers."""
        return self.error if self.asks is None else self.asks

    def __repr__(self) -> str:
        return f"{self.name}(retry_after_s={self.retry_after_s!r})"
