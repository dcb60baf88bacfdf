"""The frames of the simulated market, drawn by `model.market` in Spark's Python workers.

Two front ends share it: `simulated`, where all is drawn, and `homedepot`, where texts and grades
are real and prices, popularity and engagement are drawn.
"""

MARKET_VERSION = "3"
"""Raised when the code draws another market from the same conf."""
