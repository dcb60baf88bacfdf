"""Experiments: trainings, their predictions, figures by list, intervals and words."""
