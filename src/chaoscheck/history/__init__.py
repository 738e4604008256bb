"""What happened: exchanges, operations and traces, as frozen values."""
