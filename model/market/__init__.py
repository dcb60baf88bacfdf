"""The simulated market in numpy: catalogue, queries, traffic, logging policy, shoppers.

Every draw is a function of the seed and of the keys of its row, so a row is the same whatever the
batch, the partition or the run date. The functions take and give arrays with one entry per row, and
run in Spark's Python workers (`udfs.market`)."""
