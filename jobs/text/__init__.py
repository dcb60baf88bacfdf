"""Texts that were read, catalogue statistics and compared pairs, by the versions in use."""
