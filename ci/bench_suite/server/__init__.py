"""The servers that `server_speed` compares, each a process of its own, and who drives them."""
