"""Templates of replies: Jinja2's syntax, evaluated by us within a budget of work and size."""
