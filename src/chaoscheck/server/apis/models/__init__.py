"""Lists of models: where it stands, what it takes, what it says."""
