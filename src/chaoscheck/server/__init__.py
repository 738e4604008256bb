"""The chaos server: a provider that misbehaves by plan."""
