"""Record and replay: a real provider's exchanges in a file, and answers out of that file."""
