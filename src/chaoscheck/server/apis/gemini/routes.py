"""Where Gemini's API stands: its methods follow the model's name behind a colon."""

from __future__ import annotations

from collections.abc import Iterator

from chaoscheck.server.apis.gemini.answer import answer_generate, answer_stream
from chaoscheck.server.apis.gemini.embeddings import (
    answer_count_tokens,
    answer_embed,
    answer_embed_batch,
)
from chaoscheck.server.apis.gemini.models import answer_model, answer_models
from chaoscheck.server.apis.gemini.provider import GEMINI
from chaoscheck.server.apis.place import Place

__all__ = ["PLACES"]

_METHODS = {
    "generateContent": answer_generate,
    "streamGenerateContent": answer_stream,
    "countTokens": answer_count_tokens,
    "embedContent": answer_embed,
    "batchEmbedContents": answer_embed_batch,
}

_VERSIONS = ("v1", "v1beta")


def _places(version: str) -> Iterator[Place]:
    models = f"/{version}/models"
    for method, api in _METHODS.items():
        yield Place(provider=GEMINI, path=f"{models}/([^/:]+):{method}", api=api)
    yield Place(provider=GEMINI, path=models, api=answer_models, method="GET")
    yield Place(provider=GEMINI, path=f"{models}/([^/:]+)", api=answer_model, method="GET")


PLACES = tuple([place for version in _VERSIONS for place in _places(version)])
