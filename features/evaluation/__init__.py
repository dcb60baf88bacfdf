"""Ranking metrics and calibration in Spark, down to sums of a bounded number of query blocks."""
