# Databricks notebook source
# MAGIC %md
# MAGIC # The nightly run
# MAGIC One run date through the whole chain. Install the wheel on the cluster first; outside
# MAGIC Databricks run the cells with the project's environment.

# COMMAND ----------

from conf.load import load_conf
from jobs.nightly import Nightly, closing_table
from jobs.platform.session import get_session
from jobs.registry import CHAIN, load_job

# COMMAND ----------

# The same layers as on the command line: conf files, single settings, the run date.
conf = load_conf(layers=[], settings=[], run_date="2026-03-01")
spark = get_session(conf.tree)

# COMMAND ----------

chain = [load_job(name) for name in CHAIN]
nightly = Nightly(spark, conf, steps=chain, chain=chain)
nightly.plan()
reports = nightly.run()
nightly.console.print(closing_table(reports))
