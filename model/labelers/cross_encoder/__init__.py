"""A network over the words of two texts, with trees beside it."""
