"""Log probabilities of tokens, as OpenAI's APIs say them.

Each token that is said is by far the likeliest; the alternatives that a request asks for are made
up, the same for every token, and less and less likely. All probabilities sum to less than 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from chaoscheck.server.apis.request_body import BadRequest

__all__ = [
    "ALTERNATIVES_MAX",
    "ENTRIES_MAX",
    "logprob_of",
    "logprobs_json",
    "require_affordable",
    "token_logprobs",
]

ALTERNATIVES_MAX = 20  # OpenAI's own limit of top_logprobs

# Entries of one answer: each is about 100 bytes and 2 to 8 us, and a short prompt may ask for
# millions of them.
ENTRIES_MAX = 20_000

_SAID = -0.1
_FIRST_ALTERNATIVE = -3.0  # each further one is e times less likely


def logprob_of(rank: int) -> float:
    """The log probability of a position's ``rank``-th likeliest token; rank 0 is what is said."""
    return _SAID if rank == 0 else _FIRST_ALTERNATIVE - (rank - 1)


def require_affordable(texts: Sequence[str], alternatives: int | None, choices: int = 1) -> None:
    """Refuse likelihoods, of texts that are said ``choices`` times, that would fill megabytes."""
    if alternatives is None:
        return
    tokens = sum([len(text.split()) for text in texts])
    if tokens * (alternatives + 1) * choices > ENTRIES_MAX:
        message = f"An answer may bear at most {ENTRIES_MAX} log probabilities; this one has more."
        raise BadRequest(message, "logprobs", "invalid_value")


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
    # Written by hand: the alternatives, most of it, are the same for every token.
    others = "".join(
        [
            "," + json.dumps(_entry(f"alternative {rank}", logprob_of(rank)))
            for rank in range(1, alternatives)
        ]
    )
    entries = []
    for token in tokens:
        said = json.dumps(_entry(token, _SAID))
        top = f"{said}{others}" if alternatives else ""
        entries.append(f'{said[:-1]}, "top_logprobs": [{top}]}}')
    return f'{{"content":[{",".join(entries)}],"refusal":null}}'
