"""What the Python workers fork from leaves the GPU to them."""

import subprocess
import sys
import zipfile
from pathlib import Path

from pyspark.sql import SparkSession

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


CHEAP = """
import gc, importlib, zipimport
from unittest.mock import patch
import pyspark, udfs.daemon
archive = zipimport.zipimporter({archive!r})
with patch("zipimport._read_directory", side_effect=AssertionError("was read again")):
    udfs.daemon.make_tasks_cheap()
    archive.invalidate_caches()
assert gc.get_freeze_count() > 100_000
assert archive.load_module("inside").VALUE == 3
"""


def test_a_task_reads_no_archive_anew_and_old_objects_are_no_garbage(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("inside.py", "VALUE = 3")
    program = CHEAP.format(archive=str(tmp_path / "some.zip"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_session_has_one_daemon_for_rows_and_for_udfs(spark: SparkSession) -> None:
    assert spark.createDataFrame([(1,)], "a int").count() == 1
    assert spark.range(2).mapInPandas(lambda frames: frames, "id long").count() == 2
    java = spark.sparkContext._gateway.proc.pid  # type: ignore[union-attr]
    listed = subprocess.run(
        ["ps", "-o", "args=", "--ppid", str(java)], capture_output=True, text=True, check=True
    )
    assert listed.stdout.count("udfs.daemon") == 1
