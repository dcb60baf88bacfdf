"""The simulated market: catalogue, queries, traffic, logging policy, shoppers.

Two front ends share it: `simulated`, where all is drawn, and `homedepot`, where texts and grades
are real and prices, popularity and engagement are drawn. Every draw is a function of the seed and
of the keys of its row, so a row is the same whatever the partitions, the size of the cluster or
the run date.
"""

MARKET_VERSION = "2"
"""Raised when the code draws another market from the same conf."""
