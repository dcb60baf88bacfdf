"""Trees over what two texts share."""
