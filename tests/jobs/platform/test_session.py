"""What every session of a job is set to."""

from pyspark.sql import SparkSession


def test_no_plan_becomes_a_method_that_hotspot_would_interpret(spark: SparkSession) -> None:
    # HotSpot's own limit, in bytes of bytecode (DontCompileHugeMethods); Spark's default is 65535.
    assert spark.conf.get("spark.sql.codegen.hugeMethodLimit") == "8000"
