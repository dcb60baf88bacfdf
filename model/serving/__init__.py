"""The model that serves: its directory, calibrated probabilities, the gate."""
