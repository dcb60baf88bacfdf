"""The gate of the labelers: gold pairs and what is measured on them."""
