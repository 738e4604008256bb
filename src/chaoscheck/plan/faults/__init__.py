"""One fault, one file."""
