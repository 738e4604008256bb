"""HTTP on the wire: requests in, bytes out."""
