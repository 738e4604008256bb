"""Chat completions: where it stands, what it takes, what it says."""
