"""Where a program runs: choices, clock, pump, network, escapes."""
