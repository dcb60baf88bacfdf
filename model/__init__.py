"""PyTorch side: feed, ranker, heads, losses, calibration, value model, metrics, trainer."""
