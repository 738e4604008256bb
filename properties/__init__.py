"""The laws: state machines and properties, one family of promises per module."""
