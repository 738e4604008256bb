"""Where the Responses API stands."""

from __future__ import annotations

from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.providers import AZURE, OPENAI

__all__ = ["PLACES"]

PLACES = (
    Place(provider=OPENAI, path="/v1/responses", api=answer_response),
    azure_place("/openai/responses", answer_response),
    Place(provider=AZURE, path="/openai/v1/responses", api=answer_response),
)
