"""Log probabilities of tokens, as OpenAI's APIs say them.

Each token that is said is by far the likeliest; the alternatives that a request asks for are made
up, the same for every token, and less and less likely. All probabilities sum to less than 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

__all__ = ["ALTERNATIVES_MAX", "logprob_of", "logprobs_json", "token_logprobs"]

ALTERNATIVES_MAX = 20  # OpenAI's own limit of top_logprobs

_SAID = -0.1
_FIRST_ALTERNATIVE = -3.0  # each further one is e times less likely


def logprob_of(rank: int) -> float:
    """The log probability of a position's ``rank``-th likeliest token; rank 0 is what is said."""
    return _SAID if rank == 0 else _FIRST_ALTERNATIVE - (rank - 1)


def token_logprobs(tokens: Iterable[str], alternatives: int) -> list[dict[str, object]]:
    """Each token's entry, with that many ``top_logprobs``, the token itself among them."""
    others = [
        _entry(f"alternative {rank}", logprob_of(rank)) for rank in range(1, max(alternatives, 1))
    ]
    entries = []
    for token in tokens:
        said = _entry(token, _SAID)
        top = [said, *others] if alternatives else []
        entries.append({**said, "top_logprobs": top})
    return entries


def _entry(token: str, logprob: float) -> dict[str, object]:
    raw = token.encode("utf-8", "surrogatepass")
    return {"token": token, "logprob": logprob, "bytes": list(raw)}


def logprobs_json(tokens: Iterable[str], alternatives: int) -> str:
    """The ``logprobs`` of a chat's choice that says these tokens."""
    entries = json.dumps(token_logprobs(tokens, alternatives), separators=(",", ":"))
    return f'{{"content":{entries},"refusal":null}}'
