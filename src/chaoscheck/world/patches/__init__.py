"""How each kind of escape is answered or reported; ``world.escapes`` has the table of them."""
