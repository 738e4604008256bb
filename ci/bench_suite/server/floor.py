"""The bare floor: trio and httptools, fixed bytes, one send per answer or event."""

from __future__ import annotations

import httptools
import trio

from server.measured import announce

BODY = (
    b'{"id":"chatcmpl-000001","object":"chat.completion","created":1700000000,"model":"m",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"hello number 17",'
    b'"refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6}}'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_000001\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_000001\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
EVENT = (
    b'data: {"id":"chatcmpl-000001","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"m","choices":[{"index":0,"delta":{"content":"word "},"logprobs":null,'
    b'"finish_reason":null}]}\n\n'
)
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
LAST_CHUNK = b"0\r\n\r\n"
# What a streamed answer has beside its words: the role, the reason of its end, and [DONE].
EVENTS_BESIDE_WORDS = 3


class _Requests:
    """Counts the requests that are whole, and the words that the last one wants streamed."""

    def __init__(self) -> None:
        self.whole = 0
        self.words = 0  # 0: a plain answer

    def on_body(self, body: bytes) -> None:
        self.words = body.count(b"word") if b'"stream": true' in body else 0

    def on_message_complete(self) -> None:
        self.whole += 1


async def _connection(stream: trio.SocketStream) -> None:
    requests = _Requests()
    parser = httptools.HttpRequestParser(requests)
    while data := await stream.receive_some():
        parser.feed_data(data)
        while requests.whole:
            requests.whole -= 1
            if requests.words:
                await _streamed(stream, requests.words)
            else:
                await stream.send_all(ANSWER)


async def _streamed(stream: trio.SocketStream, words: int) -> None:
    await stream.send_all(STREAM_HEAD)
    for _ in range(words + EVENTS_BESIDE_WORDS):
        await stream.send_all(CHUNK)
    await stream.send_all(LAST_CHUNK)


async def _serve() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    announce(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(_connection, listeners)


if __name__ == "__main__":
    trio.run(_serve)
