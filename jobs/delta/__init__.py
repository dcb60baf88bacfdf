"""Delta tables: where they are, their commits, and what a write changes."""
