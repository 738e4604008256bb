"""What happened, kept: the ledger, its file, its counters."""
