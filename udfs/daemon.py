"""Spark's Python daemon, with the libraries of our UDFs loaded before the workers fork from it.

Spark ends workers that were idle for a minute. A worker that is forked from this daemon has torch
and pandas at once, and shares their memory; a worker of Spark's own daemon imports them again, for
seconds. `jobs.platform.session` names it in local sessions (`spark.python.daemon.module`).

Two things that a worker does with each task, however small, are made cheap: together they took half
a second of CPU. A GPU that is asked for here would fail in the forked workers.
"""

import gc
from zipimport import zipimporter

from pyspark.daemon import manager
from transformers import AutoModel, AutoTokenizer  # noqa: F401
from transformers.models.bert import modeling_bert  # noqa: F401

import udfs.market.rows  # noqa: F401  (and with it pandas and Arrow)


def make_tasks_cheap() -> None:
    """Keep a worker from looking through all libraries and archives again with every task."""
    # A worker collects garbage after each task: what is frozen is not looked through.
    gc.freeze()
    # A worker looks for new modules before each task, and every importer of an archive reads its
    # whole list anew: that of pyspark.zip, which never changes, once per package in it. An archive
    # that is added to a session gets an importer of its own, which reads it when it is made.
    zipimporter.invalidate_caches = _keep_what_is_known  # type: ignore[method-assign, assignment]


def _keep_what_is_known(_: zipimporter) -> None:
    return None


if __name__ == "__main__":
    make_tasks_cheap()
    manager()  # type: ignore[no-untyped-call]
