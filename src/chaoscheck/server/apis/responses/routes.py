"""Where the Responses API stands: its responses, and the ones that are kept."""

from __future__ import annotations

from collections.abc import Iterator

from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.apis.responses.answer import answer_openrouter_response, answer_response
from chaoscheck.server.apis.responses.kept import (
    answer_cancel,
    answer_delete,
    answer_input_items,
    answer_kept,
)
from chaoscheck.server.apis.responses.tokens import answer_input_tokens
from chaoscheck.server.providers import AZURE, OPENAI, OPENROUTER

__all__ = ["PLACES"]

# (method, what follows the path of all responses, the API)
_ENDPOINTS: tuple[tuple[str, str, Api], ...] = (
    ("POST", "", answer_response),
    ("POST", "/input_tokens", answer_input_tokens),
    ("GET", "/([^/]+)", answer_kept),
    ("DELETE", "/([^/]+)", answer_delete),
    ("POST", "/([^/]+)/cancel", answer_cancel),
    ("GET", "/([^/]+)/input_items", answer_input_items),
)


def _places() -> Iterator[Place]:
    for method, ending, api in _ENDPOINTS:
        yield Place(provider=OPENAI, path=f"/v1/responses{ending}", api=api, method=method)
        yield azure_place(f"/openai/responses{ending}", api, method)
        yield Place(provider=AZURE, path=f"/openai/v1/responses{ending}", api=api, method=method)


PLACES = (
    *_places(),
    Place(provider=OPENROUTER, path="/api/v1/responses", api=answer_openrouter_response),
)
