"""Texts in Spark: one normal form, tokens, BM25, attributes, cosines."""
