"""PyTorch side: feed, ranker, heads, losses, calibration, value model, metrics, trainer."""

import os

# Torch's threads wait for each other by spinning, by default for about a millisecond a time. Where
# anything else runs on their cores, the one waited for does not get to run, and a fit takes ten
# times as long. After so many rounds they sleep; on idle cores a fit is no slower for it
# (bench/README.md). GNU's OpenMP reads the variable when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
