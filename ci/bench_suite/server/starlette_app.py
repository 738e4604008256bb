"""The rival: Starlette on uvicorn (uvloop, httptools) gives the same chat answer, freshly made."""

from __future__ import annotations

import socket
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.measured import announce

_BACKLOG = 128


class _Numbers:
    last = 0


async def _chat(request: Request) -> JSONResponse:
    asked = await request.json()
    texts = [message["content"] for message in asked["messages"]]
    prompt = sum(len(text.split()) for text in texts)
    completion = len(texts[-1].split())
    _Numbers.last += 1
    message = {"role": "assistant", "content": texts[-1], "refusal": None}
    return JSONResponse(
        {
            "id": f"chatcmpl-{_Numbers.last:06d}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked["model"],
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
        },
        headers={"x-request-id": f"req_{_Numbers.last:06d}"},
    )


def _serve() -> None:
    app = Starlette(routes=[Route("/v1/chat/completions", _chat, methods=["POST"])])
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
    )
    bound = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    announce(bound.getsockname()[1])
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    _serve()
