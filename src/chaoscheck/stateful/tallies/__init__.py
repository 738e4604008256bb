"""What is counted while a machine runs: rules, laws, faults; per example and per run."""
