"""What may go wrong: faults and plans, as frozen values."""
