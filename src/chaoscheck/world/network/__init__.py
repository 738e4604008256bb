"""What every network of a world has in common: hosts, ports, sockets, link faults."""
