"""A fuzzer of requests over all endpoints and modes: no exit, no accidental 5xx, no hang."""

from __future__ import annotations

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis import parameters, request_body
from chaoscheck.server.apis.routes import PLACES
from tests.unit.server.fuzzing.fuzzer import MODES, Mode, fuzz
from tests.unit.server.fuzzing.requests import request_bytes

REQUESTS = 5_000
BATCH = 250  # so that the runners share them, and none is slower than a second
BATCHES = REQUESTS // BATCH


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_request_breaks_the_server(batch: int) -> None:
    """I may send whatever I like: it answers, and the mistake is mine or a fault's."""
    first = batch * BATCH
    findings = fuzz(MODES[batch % len(MODES)], range(first, first + BATCH))

    assert [] == findings.wrong
    assert findings.answered.keys() > {200, 400}


def test_the_same_seed_sends_the_same_requests() -> None:
    """A finding's number is enough to see it again."""
    assert [request_bytes(1, 7), request_bytes(1, 7)] == [request_bytes(1, 7)] * 2
    assert request_bytes(1, 7) != request_bytes(2, 7)


def test_every_place_is_asked() -> None:
    """A new API is fuzzed as soon as it has a place."""
    first = [request_bytes(0, number).split(b" ", 2)[1:2] for number in range(REQUESTS)]
    targets = {target[0].partition(b"?")[0].decode("latin-1") for target in first if target}
    exact = {place.path for place in PLACES if "(" not in place.path}

    assert exact <= targets


_bounding = parameters._require_range


def _bounding_all_but_tokens(kind: str, param: str, value: float, low: float, high: float) -> None:
    # A huge ``n`` without a bound would take the machine's memory, and not only fail.
    if param not in ("max_tokens", "max_completion_tokens"):
        _bounding(kind, param, value, low, high)


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (parameters, "_require_range", _bounding_all_but_tokens),
        (request_body, "_text", lambda _, message: (message["role"], message["content"])),
    ],
    ids=["no bound of counts", "no look at types"],
)
def test_the_fuzzer_finds_a_planted_bug(
    module: object, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that is missing shows within the requests of one run."""
    monkeypatch.setattr(module, name, broken)

    for first in range(0, REQUESTS, BATCH):
        if fuzz(MODES[0], range(first, first + BATCH), path="/v1/chat/completions").wrong:
            return
    pytest.fail("not found")


def test_an_accidental_error_status_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 500 that no fault explains is one, also where nothing was raised."""
    from chaoscheck.server.apis import routes

    monkeypatch.setattr(routes, "_unknown_path", lambda *_: Answer(status=500, body=b"{}"))

    assert fuzz(Mode(name="broken", plan=MODES[0].plan), range(200)).wrong
