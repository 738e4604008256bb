"""Plans as TOML and JSON, their schema, and the presets."""
