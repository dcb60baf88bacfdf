"""Inserts decisions of "b" below ROOT (its argument) from its own process, once a line comes in."""

import runpy
import sys
from pathlib import Path

from conf.load import SIMULATED, load_conf
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session

if __name__ == "__main__":
    conf = load_conf([SIMULATED], [f"storage.root={sys.argv[1]}", "spark.driver_memory=1g"])
    warehouse, _ = open_warehouse(get_session(conf.tree), conf, "other")
    print("ready", flush=True)
    sys.stdin.readline()
    test = runpy.run_path(str(Path(__file__).with_name("test_decisions.py")))
    test["insert_named"](warehouse, "b")
