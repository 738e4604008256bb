"""Where an API stands: the ``routes.py`` of each API's folder lists its places as ``PLACES``."""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.server.apis.call import Api
from chaoscheck.server.providers import AZURE, Provider

__all__ = ["Place", "azure_place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An API of ``provider`` at ``path``, for requests of ``method`` (a GET serves HEAD too).

    ``path`` is a regular expression if it has a group, and then the group is ``Call.model``: a
    model's name or the id of an object. ``needs_version`` demands Azure's ``?api-version``. A
    ``costly`` API may take tens of milliseconds for a short request.
    ``takes_form`` is for files: its requests are ``multipart/form-data`` in the place of JSON.
    """

    provider: Provider
    path: str
    api: Api
    method: str = "POST"
    needs_version: bool = False
    costly: bool = False
    takes_form: bool = False


def azure_place(path: str, api: Api, method: str = "POST", *, costly: bool = False) -> Place:
    """A place of Azure's whose requests name the version of the API that they speak."""
    return Place(
        provider=AZURE, path=path, api=api, method=method, needs_version=True, costly=costly
    )
