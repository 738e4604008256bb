"""Failing stories kept for ever: durable, readable files that every later run replays first."""
