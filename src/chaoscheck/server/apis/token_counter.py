"""What one request counts in tokens, for plans that limit them; its API fills it in.

Tokens are those of the answer's usage (``pieces``). A provider admits a request by what it may
take, its prompt and ``max_tokens``; where that is not given, by what the answer has.
"""

from __future__ import annotations

from chaoscheck.plan.context_window import ContextWindows

__all__ = ["TokenCounter"]


class TokenCounter:
    """The tokens of one request: ``input`` and ``output``, and those of ``output`` it reserves.

    ``model`` is the one that was asked; None as long as no API has counted anything. ``windows``
    are those of the plan.
    """

    __slots__ = ("input", "model", "output", "reserved", "windows")

    def __init__(self, windows: ContextWindows = ()) -> None:
        self.windows = windows
        self.model: str | None = None
        self.input = 0
        self.output = 0
        self.reserved = 0

    def count(self, model: str, read: int, said: int, most: int | None = None) -> None:
        """A prompt of ``read`` tokens is answered with ``said`` tokens, of at most ``most``."""
        self.model = model
        self.input = read
        self.output = said
        self.reserved = said if most is None else max(most, said)
