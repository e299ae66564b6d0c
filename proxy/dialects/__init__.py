"""Where generated content lives in each API: one YAML table per API, and the small engine that runs a table."""
