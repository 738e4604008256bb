"""Where OpenAI's and Azure's batches stand."""

from __future__ import annotations

from collections.abc import Iterator

from chaoscheck.server.apis.batches.answer import (
    answer_batch,
    answer_cancel,
    answer_create,
    answer_list,
)
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI

__all__ = ["PLACES"]

_ENDPOINTS: tuple[tuple[str, str, Api], ...] = (
    ("POST", "", answer_create),
    ("GET", "", answer_list),
    ("GET", "/([^/]+)", answer_batch),
    ("POST", "/([^/]+)/cancel", answer_cancel),
)


def _places() -> Iterator[Place]:
    for method, ending, api in _ENDPOINTS:
        yield Place(provider=OPENAI, path=f"/v1/batches{ending}", api=api, method=method)
        yield azure_place(f"/openai/batches{ending}", api, method)
        yield Place(provider=AZURE, path=f"/openai/v1/batches{ending}", api=api, method=method)


PLACES = tuple(_places())
