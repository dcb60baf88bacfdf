"""Rows that are trained on and scored."""
