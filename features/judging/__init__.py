"""Which pairs raters are asked for, and what becomes of their answers."""
