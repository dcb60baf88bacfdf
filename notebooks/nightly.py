# Databricks notebook source
# MAGIC %md
# MAGIC # The nightly run
# MAGIC One run date through the whole chain. Install the wheel and `requirements-databricks.txt` on
# MAGIC the cluster first; `conf` is a file on a volume (start from `conf/databricks.yaml`).

# COMMAND ----------

from jobs.command.cli import run_command

dbutils.widgets.text("conf", "/Volumes/main/counterpoise/files/conf.yaml", "conf file")  # noqa: F821
dbutils.widgets.text("run_date", "", "run date (YYYY-MM-DD)")  # noqa: F821

# COMMAND ----------

conf, run_date = (dbutils.widgets.get(name) for name in ("conf", "run_date"))  # noqa: F821
code = run_command(["nightly", "--conf", conf, "--run-date", run_date])
if code:  # an error, not SystemExit: a notebook may take that for its regular end
    raise RuntimeError(f"the night ended with exit code {code}; its error stands above")
