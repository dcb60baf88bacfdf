"""What a run leaves behind, and whether a step must run again."""
