"""A causal language model with LoRA, asked for the grade."""
