"""The simulated market in numpy: catalogue, queries, traffic, logging policy, shoppers.

Every draw is a function of the seed and of the keys of its row, so a row is the same whatever the
batch, the partition or the run date. The functions take and give arrays with an entry a row; they
run in Spark's Python workers (`udfs.market`).
"""
