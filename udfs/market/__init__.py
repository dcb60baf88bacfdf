"""The simulated market in Spark's Python workers: rows by batch, and the schemas of those rows.

A row is a function of the seed and of its keys (`model.market`), whatever batch it is in.
"""
