"""Where OpenAI's and Azure's files stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.files.answer import (
    answer_content,
    answer_delete,
    answer_file,
    answer_list,
    answer_upload,
)
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI

__all__ = ["PLACES"]

_ENDPOINTS: tuple[tuple[str, str, Api], ...] = (
    ("POST", "", answer_upload),
    ("GET", "", answer_list),
    ("GET", "/([^/]+)", answer_file),
    ("DELETE", "/([^/]+)", answer_delete),
    ("GET", "/([^/]+)/content", answer_content),
)


def _places() -> Iterator[Place]:
    for method, ending, api in _ENDPOINTS:
        places = (
            Place(provider=OPENAI, path=f"/v1/files{ending}", api=api, method=method),
            azure_place(f"/openai/files{ending}", api, method),
            Place(provider=AZURE, path=f"/openai/v1/files{ending}", api=api, method=method),
        )
        for place in places:
            yield replace(place, takes_form=api is answer_upload)


PLACES = tuple(_places())
