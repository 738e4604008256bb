"""How a failure is told."""
