"""What the labelers that are networks share: base models, batches of token rows, fine-tuning."""
