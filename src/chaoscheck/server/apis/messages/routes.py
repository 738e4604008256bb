"""Where Anthropic's messages, its token counts and its models stand."""

from __future__ import annotations

from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.messages.models import answer_anthropic_model, answer_anthropic_models
from chaoscheck.server.apis.messages.tokens import answer_count_tokens
from chaoscheck.server.apis.place import Place
from chaoscheck.server.providers import ANTHROPIC

__all__ = ["PLACES"]

PLACES = (
    Place(provider=ANTHROPIC, path="/v1/messages", api=answer_message),
    Place(provider=ANTHROPIC, path="/v1/messages/count_tokens", api=answer_count_tokens),
    Place(provider=ANTHROPIC, path="/v1/models", api=answer_anthropic_models, method="GET"),
    Place(provider=ANTHROPIC, path="/v1/models/(.+)", api=answer_anthropic_model, method="GET"),
)
