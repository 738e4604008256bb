"""Executable specifications: pure, one noun per file, readable as the law they state."""
