"""``chaoscheck serve --record`` and ``--replay`` as processes of their own.

Each test runs real processes on the wall clock, a quarter of a second and more for each.
"""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

from tests.e2e.test_serve import END_MAX_S, QUESTION, serving


def test_a_provider_is_recorded_and_replayed(tmp_path: Path) -> None:
    """Three processes: a provider, a recorder in front of it, and a replay once both are gone."""
    path = str(tmp_path / "recording.jsonl")
    question = json.dumps(QUESTION).encode()
    streamed = json.dumps({**QUESTION, "stream": True}).encode()
    bodies = [question, streamed, question]
    with serving("--json", "--fault", "status_503=1") as real:
        token = real.ready["token"]
        assert 200 == real.send("/_chaoscheck/heal", b"", token=token)[0]
        queued = json.dumps({"faults": ["status_429"]}).encode()
        assert 200 == real.send("/_chaoscheck/faults", queued, token=token)[0]
        with serving("--json", "--record", path, "--upstream", real.ready["url"]) as recorder:
            seen = [recorder.send("/v1/chat/completions", body) for body in bodies]
            token = recorder.ready["token"]
            assert 200 == recorder.send("/_chaoscheck/stats", token=token)[0]
            code, _, err = recorder.end(signal.SIGTERM)
            assert (0, True) == (code, "3 requests" in err), err
    with serving("--json", "--replay", path, "--fault", "status_500=0") as replay:
        again = [replay.send("/v1/chat/completions", body) for body in bodies]
        assert 0 == replay.end(signal.SIGTERM)[0]
    with serving("--json", "--replay", path, "--fault", "status_500=1") as faulted:
        assert 500 == faulted.send("/v1/chat/completions", streamed)[0]

    assert [429, 200, 200] == [status for status, _ in seen]
    assert seen == again


def test_a_recorder_whose_upstream_hangs_ends_in_time(tmp_path: Path) -> None:
    """SIGTERM ends it within 2 s while a request waits for a provider that says nothing."""
    path = tmp_path / "recording.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with serving("--json", "--record", str(path), "--upstream", url) as recorder:
            host, _, port = recorder.ready["url"].removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port))) as client:
                client.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
                accepted, _ = silent.accept()  # The request is on its way.
                with accepted:
                    recorder.process.send_signal(signal.SIGTERM)
                    assert 0 == recorder.process.wait(END_MAX_S)
