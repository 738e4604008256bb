"""Chat completions as each provider writes them: what it adds to OpenAI's documents.

Azure reports what its content filter thinks; OpenRouter names who served it and opens each stream
with a comment (their API references).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from chaoscheck.plan.answer import Event
from chaoscheck.server.apis.sse import comment, event

__all__ = ["AZURE_CHAT", "OPENAI_CHAT", "OPENROUTER_CHAT", "ChatDialect", "tiered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatDialect:
    """Members as JSON text, each with its comma in front.

    ``in_body`` stands in whole answers and ``in_chunk`` in each chunk, ``in_choice`` in the
    choices of both, where ``REASON`` means the finish reason as JSON; ``in_filtered`` stands in
    the choice of a chunk that bears text. ``opening`` events come before all chunks. A stream that
    breaks off says ``in_error`` in a chunk of its own, unless that is empty: then, as OpenAI has
    it, an object that is nothing but an error.
    """

    id_prefix: str = "chatcmpl-"
    in_body: str = ""
    in_chunk: str = ""
    in_choice: str = ""
    in_filtered: str = ""
    opening: tuple[Event, ...] = ()
    in_error: str = ""

    def choice_members(self, reason: str, *, filtered: bool) -> str:
        """What a choice has beside OpenAI's members; ``reason`` is JSON."""
        members = self.in_filtered if filtered else ""
        return members + self.in_choice.replace("REASON", reason) if self.in_choice else members


_SAFE = ",".join(
    [
        f'"{category}":{{"filtered":false,"severity":"safe"}}'
        for category in ("hate", "self_harm", "sexual", "violence")
    ]
)
_PROMPT_FILTER = (
    f'"prompt_filter_results":[{{"prompt_index":0,"content_filter_results":{{{_SAFE}}}}}]'
)

OPENAI_CHAT = ChatDialect()
AZURE_CHAT = ChatDialect(
    in_body=f",{_PROMPT_FILTER}",
    in_filtered=f',"content_filter_results":{{{_SAFE}}}',
    opening=(
        event(
            "start", f'{{"choices":[],"created":0,"id":"","model":"","object":"",{_PROMPT_FILTER}}}'
        ),
    ),
)
OPENROUTER_CHAT = ChatDialect(
    id_prefix="gen-",
    in_body=',"provider":"chaoscheck"',
    in_chunk=',"provider":"chaoscheck"',
    in_choice=',"native_finish_reason":REASON',
    opening=(comment("OPENROUTER PROCESSING"),),
    in_error=(
        ',"provider":"chaoscheck","error":{"code":502,"message":"Provider returned error"},'
        '"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"error"}]'
    ),
)


@functools.lru_cache(maxsize=8)
def tiered(dialect: ChatDialect) -> ChatDialect:
    """The dialect of an answer to a request that named a service tier: it says which it got."""
    tier = ',"service_tier":"default"'
    return replace(dialect, in_body=dialect.in_body + tier, in_chunk=dialect.in_chunk + tier)
