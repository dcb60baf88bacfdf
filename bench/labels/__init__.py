"""Measurements of labelers, on Home Depot's human grades and on simulated markets."""
