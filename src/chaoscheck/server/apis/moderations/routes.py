"""Where moderations stand."""

from __future__ import annotations

from chaoscheck.server.apis.moderations.answer import answer_moderation
from chaoscheck.server.apis.place import Place
from chaoscheck.server.providers import OPENAI

__all__ = ["PLACES"]

PLACES = (Place(provider=OPENAI, path="/v1/moderations", api=answer_moderation),)
