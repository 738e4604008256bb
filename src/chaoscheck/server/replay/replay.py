"""Replay: the answers of a recording, each as late as it was, in the order they were recorded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.apis.routes import path_of
from chaoscheck.server.replay.recorded_answer import answer_of
from chaoscheck.server.replay.recorded_exchange import RecordedExchange, request_digest
from chaoscheck.server.replay.source import Fetched
from chaoscheck.wire.request_codec import Request

__all__ = ["Replay"]


class Replay:
    """Answers of ``exchanges``: the n-th good answer to a request is the n-th that was recorded.

    Behind the last one that last one is said again. A fault in the place of an answer takes
    nothing: the retry gets what the fault kept back. What was not recorded is a 404.
    """

    def __init__(self, exchanges: Iterable[RecordedExchange]) -> None:
        self._answers: dict[str, list[Answer]] = {}
        for exchange in exchanges:
            answers = self._answers.setdefault(exchange.request, [])
            answers.append(answer_of(exchange, timed=True))
        self._given: dict[str, int] = {}

    async def fetch(self, request: Request) -> Fetched:
        """The recorded answer that is next for this request."""
        return self.next_of(request)

    def next_of(self, request: Request) -> Fetched:
        """What ``fetch`` gives, without a task."""
        path = path_of(request.target)
        query = request.target.partition("?")[2]
        method = "GET" if request.method == "HEAD" else request.method
        digest = request_digest(method, path, query, request.body)
        answers = self._answers.get(digest)
        if answers is None:
            return Fetched(_not_recorded(request.method, path))
        given = self._given.get(digest, 0)
        return Fetched(answers[min(given, len(answers) - 1)], partial(self._give, digest))

    def reset(self) -> None:
        """Begin every request's answers anew."""
        self._given.clear()

    def _give(self, digest: str) -> None:
        self._given[digest] = self._given.get(digest, 0) + 1


def _not_recorded(method: str, path: str) -> Answer:
    message = f"No recorded exchange fits this request ({method} {path[:200]})"
    return Answer(status=404, error=ApiError(message=message, type="invalid_request_error"))
