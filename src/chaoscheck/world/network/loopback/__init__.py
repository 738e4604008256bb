"""The loopback network: kernel TCP on 127.0.0.1 under the world's names, addresses and faults."""
