"""What the Python workers fork from leaves the GPU to them."""

import subprocess
import sys

ASKED = """
import torch
asked = []
torch._C._cuda_getDeviceCount = lambda: asked.append("count") or 0
torch._C._cuda_init = lambda: asked.append("init")
import udfs.daemon
assert not asked and not torch.cuda.is_initialized(), asked
torch.cuda.is_available()
assert asked, "asking was not noticed"
"""


def test_no_gpu_is_asked_for_before_the_workers_fork() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
