"""Spark's Python daemon, with the libraries of our UDFs loaded before the workers fork from it.

Spark ends workers that were idle for a minute. One forked from this daemon has torch at once, and
shares its memory; of Spark's own daemon each imports it anew, for seconds. `jobs.platform.session`
names it in local sessions (`spark.python.daemon.module`).

It imports and does no more: a GPU that is asked for here would fail in the forked workers.
"""

from pyspark.daemon import manager
from transformers import AutoModel, AutoTokenizer  # noqa: F401
from transformers.models.bert import modeling_bert  # noqa: F401

if __name__ == "__main__":
    manager()  # type: ignore[no-untyped-call]
