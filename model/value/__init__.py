"""The value of a candidate and how its weights are chosen."""
