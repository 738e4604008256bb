"""What the faults of one kind share."""
