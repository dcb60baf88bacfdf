"""Rows, labels and features of a hotel-search session log; pure, and read by experiments only."""
