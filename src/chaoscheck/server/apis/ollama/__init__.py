"""Ollama's API: where it stands, what it takes, what it says."""
