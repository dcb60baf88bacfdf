"""Which model and weights serve: trials, decisions, the gate of the ranker."""
