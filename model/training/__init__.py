"""Training: the data of an epoch, its loop, checkpoints and what is written down."""
