"""How torch's threads wait for each other."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

LOADED = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))
sys.meta_path.insert(0, Watch())
import jobs.{job}
"""


@pytest.mark.parametrize("job", ["embed_texts", "label_pairs", "train"])
@pytest.mark.parametrize(("given", "expected"), [(None, "1000"), ("7", "7")])
def test_threads_soon_sleep_unless_the_environment_says_otherwise(
    job: str, given: str | None, expected: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": given} if given else {}
    command = [sys.executable, "-c", LOADED.format(job=job)]
    run = subprocess.run(
        command, env=environment, cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == [expected]
