"""Programs: what an example did, as a value that is recorded, replayed and told."""
