"""The bare floor: trio and httptools, fixed bytes, one send per answer. It decides nothing."""

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


class _Requests:
    """Counts the requests that are whole."""

    def __init__(self) -> None:
        self.whole = 0

    def on_message_complete(self) -> None:
        self.whole += 1


async def _connection(stream: trio.SocketStream) -> None:
    requests = _Requests()
    parser = httptools.HttpRequestParser(requests)
    while data := await stream.receive_some():
        parser.feed_data(data)
        while requests.whole:
            requests.whole -= 1
            await stream.send_all(ANSWER)


async def _serve() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    announce(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(_connection, listeners)


if __name__ == "__main__":
    trio.run(_serve)
