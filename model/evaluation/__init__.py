"""Yardsticks of rankings in numpy: engagement over result pages, relevance over lists."""
