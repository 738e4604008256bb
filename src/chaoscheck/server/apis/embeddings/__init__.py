"""Embeddings: where it stands, what it takes, what it says."""
