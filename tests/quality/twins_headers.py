"""Clients that read an odd Retry-After wrongly. The law: laws of A, PooledExecutor.

"A server's Retry-After (seconds, fraction, HTTP-date, retry-after-ms) is a lower bound: delay =
max(own backoff, Retry-After); garbage, negative and absurd values fall back to the own backoff,
never to a crash or a wait past the deadline."
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx

from chaoscheck import Fault
from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform
from chaoscheck.components.pooled_executor import Backoff, PooledExecutor
from chaoscheck.components.query import QueryError
from chaoscheck.plan import catalogue as faults
from tests.quality.narrow_pipeline import HeaderPipeline
from tests.quality.one_fault_bug import OneFaultBug, one_fault_bug

__all__ = ["HEADER_BUGS"]

# A second attempt in the very instant of the first falls out of the account of attempts as well.
_OBEYED = (
    "retry_after_is_obeyed",
    "the_pool_keeps_its_laws",
    "each_row_has_one_outcome_that_its_faults_explain",
)


class ReadsTheHeaderAlone(OpenRouterLLMTransform):
    """A transform with a reader of Retry-After of its own; by itself it is right."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """What it makes of the headers, which ask for ``right_s``."""
        return right_s

    def _read(self, response: httpx.Response) -> LlmReply:
        try:
            return super()._read(response)
        except QueryError as error:
            if "retry-after" in response.headers:
                error.retry_after_s = self.asked_s(response.headers, error.retry_after_s)
            raise


class KnowsWholeSeconds(ReadsTheHeaderAlone):
    """Breaks "fraction": RFC 9110 knows none, so that it does not count."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """Nothing, for a number with a point."""
        return None if "." in headers["retry-after"] else right_s


class KnowsNoDates(ReadsTheHeaderAlone):
    """Breaks "HTTP-date": what is no number does not count."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """Nothing, for a date."""
        return None if "GMT" in headers["retry-after"] else right_s


class LooksBack(ReadsTheHeaderAlone):
    """Breaks "falls back to the own backoff": the time until a date that is past is negative."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """Seconds until the date, whichever way."""
        if "GMT" not in headers["retry-after"]:
            return right_s
        return (parsedate_to_datetime(headers["retry-after"]) - self._utc_now()).total_seconds()


class TakesAnyNumber(ReadsTheHeaderAlone):
    """Breaks "negative values fall back to the own backoff"."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """The number, with its sign."""
        text = headers["retry-after"]
        return float(text) if text.startswith("-") else right_s


class TakesAnythingForANumber(ReadsTheHeaderAlone):
    """Breaks "never to a crash": what is no date had better be a number."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """The same as the right one, if it comes so far."""
        text = headers["retry-after"]
        if "GMT" not in text:
            float(text)
        return right_s


class KnowsNoMilliseconds(ReadsTheHeaderAlone):
    """Breaks "retry-after-ms goes first"."""

    def asked_s(self, headers: Mapping[str, str], right_s: float | None) -> float | None:
        """The seconds, where both are said."""
        return float(headers["retry-after"]) if "retry-after-ms" in headers else right_s


class ObeysToTheLetter(PooledExecutor):
    """Breaks "delay = max(own backoff, Retry-After)": what the server says takes its place."""

    def _next_delay(self, own_s: float, error: QueryError) -> Backoff:
        asked_s = error.retry_after_s
        if asked_s is not None and asked_s <= self.retry_after_max_s:
            return Backoff(own_s=own_s, delay_s=asked_s, why="retry_after")
        return super()._next_delay(own_s, error)


class ObeysWhatIsNotZero(PooledExecutor):
    """Breaks the same where anything is said at all: ``if asked_s:``."""

    def _next_delay(self, own_s: float, error: QueryError) -> Backoff:
        asked_s = error.retry_after_s
        if asked_s and asked_s <= self.retry_after_max_s:
            return Backoff(own_s=own_s, delay_s=asked_s, why="retry_after")
        return super()._next_delay(own_s, error)


class ObeysForEver(PooledExecutor):
    """Breaks "above retry_after_max_s it is absurd"."""

    def _next_delay(self, own_s: float, error: QueryError) -> Backoff:
        asked_s = error.retry_after_s
        if asked_s is not None and own_s < asked_s:
            return Backoff(own_s=own_s, delay_s=asked_s, why="retry_after")
        return super()._next_delay(own_s, error)


def _bug(
    fault: type[Fault],
    name: str,
    what: str,
    *,
    transform: type[OpenRouterLLMTransform] = OpenRouterLLMTransform,
    executor: type[PooledExecutor] = PooledExecutor,
    laws: tuple[str, ...] = _OBEYED,
) -> OneFaultBug:
    return one_fault_bug(
        fault,
        what,
        name=name,
        transform=transform,
        executor=executor,
        laws=laws,
        sound=HeaderPipeline,
    )


HEADER_BUGS: tuple[OneFaultBug, ...] = (
    _bug(
        faults.retry_after_zero,
        "retry-after-zero-is-at-once",
        "A server that is overloaded and says 0 is asked again without any delay.",
        executor=ObeysToTheLetter,
    ),
    _bug(
        faults.retry_after_fraction,
        "retry-after-fraction-is-overlooked",
        "A wait with a fraction of a second is no wait.",
        transform=KnowsWholeSeconds,
    ),
    _bug(
        faults.retry_after_http_date,
        "retry-after-http-date-is-overlooked",
        "A wait until a date is no wait.",
        transform=KnowsNoDates,
    ),
    _bug(
        faults.retry_after_past_date,
        "retry-after-past-date-goes-back",
        "A date gone by makes a delay below zero.",
        transform=LooksBack,
        executor=ObeysWhatIsNotZero,
    ),
    _bug(
        faults.retry_after_negative,
        "retry-after-negative-goes-back",
        "A number below zero makes a delay below zero.",
        transform=TakesAnyNumber,
        executor=ObeysWhatIsNotZero,
    ),
    _bug(
        faults.retry_after_huge,
        "retry-after-huge-is-obeyed",
        "A server that says a year is waited for until nobody wants the row any more.",
        executor=ObeysForEver,
    ),
    _bug(
        faults.retry_after_garbage,
        "retry-after-garbage-crashes",
        "A header that says nothing intelligible ends the whole transform.",
        transform=TakesAnythingForANumber,
        laws=("ValueError",),
    ),
    _bug(
        faults.retry_after_contradicting_ms,
        "retry-after-ms-is-overlooked",
        "Of two waits the one that does not count is obeyed.",
        transform=KnowsNoMilliseconds,
    ),
)
