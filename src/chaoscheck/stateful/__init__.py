"""ChaosMachine: rules, invariants and healing over a world."""
