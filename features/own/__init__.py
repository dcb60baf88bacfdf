"""A team's own features: what conf declares, what their rows must be, their values as of a day."""
