"""The virtual network: TCP in memory behind trio's socket factory and hostname resolver."""
