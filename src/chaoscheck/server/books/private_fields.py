"""What an exchange holds of a client's own texts, and what is kept of them unless asked for.

A tag is the beginning of a prompt, and a key may be a client's ``Idempotency-Key``: either can name
people or orders. A record that leaves the process holds no tag and, for the key, its digest.
"""

from __future__ import annotations

import hashlib

from chaoscheck.history.exchange import Exchange

__all__ = ["key_digest", "without_private_texts"]


def key_digest(key: str) -> str:
    """BLAKE2b of a key in 32 hexadecimal digits; empty for the empty key.

    The same key has the same digest in every file, so attempts can be counted by it.
    """
    if not key:
        return ""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def without_private_texts(exchange: Exchange, *, prompts: bool, keys: bool) -> Exchange:
    """``exchange`` without its tag unless ``prompts``, with its key's digest unless ``keys``."""
    if prompts and keys:
        return exchange
    return exchange._replace(
        tag=exchange.tag if prompts else None,
        key=exchange.key if keys else key_digest(exchange.key),
    )
