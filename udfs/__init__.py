"""What runs inside the Python workers of Spark."""
