"""Every attempt that a client makes is in the audit, those that an SDK hides included."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
import trio

from chaoscheck.checks.error_details import errors_equal_faults
from chaoscheck.checks.reconcile import reconcile
from chaoscheck.components.audit_errors import AuditClosed
from chaoscheck.components.audit_recorder import AuditedState, AuditRecorder
from chaoscheck.components.audited_calls import auditing
from chaoscheck.components.audited_run import create_recorder_and_run
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.audited_transport_httpx2 import (
    AuditedTransport as AuditedHttpx2Transport,
)
from chaoscheck.history.audit import AuditHistory, audit_history
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.world.virtual import VirtualWorld
from models.llm_fates import FATES

BASE_URL = "http://api.test/v1"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # a default context costs 21 ms and is not used

Client = httpx.AsyncClient | httpx2.AsyncClient
Ask = Callable[[AuditRecorder], Awaitable[str]]


class Stage:
    """A virtual world with a chaos server, and one row under audit."""

    def __init__(self, place: Path) -> None:
        self.world = VirtualWorld()
        self.world.open()
        self.server: ChaosServer = Chaos(self.world).serve()
        self.recorder, run_id, node_id = create_recorder_and_run(place, "sdk")
        self.state: AuditedState = self.recorder.begin_row(run_id, node_id, 0, {"text": "hi"})

    def play(self, ask: Ask, *faults: str) -> str | Exception:
        """Let the first requests meet ``faults``; what the client got, and the row's outcome."""
        for fault in faults:
            self.server.next_fault(fault)

        async def main() -> str:
            with auditing(self.state):
                return await ask(self.recorder)

        try:
            content = self.world.run(main)
        except (httpx.HTTPError, httpx2.HTTPError, openai.OpenAIError) as error:
            failure = {"reason": "sdk", "error_type": type(error).__name__, "message": ""}
            self.recorder.fail_row(self.state, failure)
            return error
        self.recorder.complete_row(self.state, {"content": content})
        return content

    def audit(self) -> AuditHistory:
        """What the audit holds; the three-way reconcile is judged on the way."""
        audit = audit_history(self.recorder.trail.export())
        assert str(reconcile(audit, self.server.ledger, rows_in=1)) == "OK"
        assert str(errors_equal_faults(audit, self.server.ledger, FATES)) == "OK"
        return audit

    def close(self) -> None:
        """Close the world and the database."""
        self.world.close()
        self.recorder.trail.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A fresh stage."""
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def httpx_client(recorder: AuditRecorder) -> httpx.AsyncClient:
    """An httpx client whose requests are audited."""
    inner = httpx.AsyncHTTPTransport(verify=NO_TLS)
    return httpx.AsyncClient(transport=AuditedTransport(inner, recorder), timeout=5)


def httpx2_client(recorder: AuditRecorder) -> httpx2.AsyncClient:
    """An httpx2 client whose requests are audited."""
    inner = httpx2.AsyncHTTPTransport(verify=NO_TLS)
    return httpx2.AsyncClient(transport=AuditedHttpx2Transport(inner, recorder), timeout=5)


def asking_openai(make: Callable[[AuditRecorder], Any], **options: Any) -> Ask:
    """One completion through the openai SDK, which tries again twice."""

    async def ask(recorder: AuditRecorder) -> str:
        client = openai.AsyncOpenAI(
            base_url=BASE_URL, api_key="k", max_retries=2, http_client=make(recorder)
        )
        async with client:
            completion = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], **options
            )
        return completion.choices[0].message.content or ""

    return ask


def asking_bare(make: Callable[[AuditRecorder], Client]) -> Ask:
    """One request through a bare client, which never tries again."""

    async def ask(recorder: AuditRecorder) -> str:
        async with make(recorder) as client:
            messages = [{"role": "user", "content": "hi"}]
            response = await client.post(
                f"{BASE_URL}/chat/completions", json={"model": "m", "messages": messages}
            )
            response.raise_for_status()
            return str(response.json()["choices"][0]["message"]["content"])

    return ask


CLIENTS = [httpx_client, httpx2_client]


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("fault", "status", "status_code", "error_type"),
    [
        ("status_429", "ok", 429, None),
        ("status_500", "ok", 500, None),
        ("reset_before_headers", "error", None, "ReadError"),
        ("close_mid_body", "error", 200, "RemoteProtocolError"),
        ("stall_mid_body", "error", 200, "ReadTimeout"),
    ],
)
def test_the_retries_of_the_openai_sdk_are_calls_of_their_own(
    stage: Stage,
    make: Callable[[AuditRecorder], Client],
    fault: str,
    status: str,
    status_code: int | None,
    error_type: str | None,
) -> None:
    """What the SDK papers over stands in my audit, with what the fault did to it."""
    assert "hi" == stage.play(asking_openai(make), fault, fault)

    calls = stage.audit().calls
    assert [status, status, "ok"] == [call.status for call in calls]
    assert [status_code, status_code, 200] == [call.status_code for call in calls]
    assert [error_type, error_type, None] == [call.error_type for call in calls]
    assert 3 == len({call.attempt_id for call in calls}) == len(stage.server.ledger)


@pytest.mark.parametrize("make", CLIENTS)
def test_the_error_of_an_exhausted_sdk_is_that_of_its_last_attempt(
    stage: Stage, make: Callable[[AuditRecorder], Client]
) -> None:
    """The stored error names the third attempt, whose fault was another than the first two's."""
    played = stage.play(asking_openai(make), "status_429", "status_500", "status_503")

    [error] = stage.audit().errors
    last = stage.server.ledger[-1]
    assert isinstance(played, openai.InternalServerError)
    assert (last.attempt_id, 503, "capacity", last.body_digest) == (
        error.attempt_id,
        error.status_code,
        error.kind,
        error.body_digest,
    )


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("fault", ["status_500", "reset_mid_body", "close_before_headers"])
def test_a_bare_client_makes_one_call(
    stage: Stage, make: Callable[[AuditRecorder], Client], fault: str
) -> None:
    """Without an SDK nothing is tried again, and the one attempt is there with its failure."""
    assert isinstance(stage.play(asking_bare(make), fault), Exception)

    [call] = stage.audit().calls
    assert "transient" == call.failure_kind


@pytest.mark.parametrize("make", CLIENTS)
def test_an_id_that_every_attempt_repeats_is_kept_for_the_first_only(
    stage: Stage, make: Callable[[AuditRecorder], Client]
) -> None:
    """My own X-Attempt-Id serves once; an SDK that sends it again gets a fresh one."""
    own = {"X-Attempt-Id": "mine"}
    assert "hi" == stage.play(asking_openai(make, extra_headers=own), "status_500")

    first, second = (call.attempt_id for call in stage.audit().calls)
    assert "mine" == first != second
    assert [first, second] == [exchange.attempt_id for exchange in stage.server.ledger]


@pytest.mark.parametrize("make", CLIENTS)
def test_a_caller_that_leaves_makes_the_call_unknown(
    stage: Stage, make: Callable[[AuditRecorder], Client]
) -> None:
    """Nobody saw how a cancelled attempt ended, so nobody says."""

    async def leave(recorder: AuditRecorder) -> str:
        with trio.move_on_after(1):
            await asking_bare(make)(recorder)
        return "left"

    assert "left" == stage.play(leave, "stall_mid_body")

    [call] = stage.audit().calls
    assert ("unknown", "cancelled", 200) == (call.status, call.error_type, call.status_code)


@pytest.mark.parametrize("make", CLIENTS)
def test_a_body_that_is_not_read_to_its_end_makes_the_call_unknown(
    stage: Stage, make: Callable[[AuditRecorder], Client]
) -> None:
    """A stream that I close early may or may not have come whole."""

    async def peek(recorder: AuditRecorder) -> str:
        messages = [{"role": "user", "content": "hi"}]
        async with make(recorder) as client:
            content = {"model": "m", "messages": messages}
            url = f"{BASE_URL}/chat/completions"
            async with client.stream("POST", url, json=content) as response:
                return str(response.status_code)

    assert "200" == stage.play(peek)

    [call] = stage.audit().calls
    assert ("unknown", "closed_early", 200) == (call.status, call.error_type, call.status_code)


@pytest.mark.parametrize("make", CLIENTS)
def test_nothing_is_sent_past_an_audit_that_cannot_be_written(
    stage: Stage, make: Callable[[AuditRecorder], Client]
) -> None:
    """However often an SDK would try, no request leaves, and the reason comes out."""
    stage.recorder.trail.fence()

    with pytest.raises((AuditClosed, openai.APIConnectionError)) as failure:
        stage.play(asking_openai(make))

    assert AuditClosed in (type(failure.value), type(failure.value.__cause__))
    assert 0 == stage.server.ledger.total
