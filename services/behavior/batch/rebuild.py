"""Rebuilds the features of every payment of an exported log with Apache Spark.

    python rebuild.py LOG.jsonl OUT

LOG.jsonl is what `behaviorctl export log` prints. OUT gets three folders: `log.parquet`, the log; `features.parquet`, for each of its payments what it looked
like before it was learned, for training; and `features.csv`, the same in the order of the log, for compare.py. The master is that of `spark-submit`, or else
this machine (`local[*]`, which no network reaches).

Users and payees are shared out among the workers, and what is of one of them is sorted by the log's number, so that a worker folds line by line: it never has
more in memory than one profile, which is bounded, however often somebody pays.
"""

import os
import pathlib
import sys

from pyspark import SparkConf
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, expr

import features

LINE = """number long, kind string, id string, at_unix_millis long, user_key string, payee_key string, amount string, currency string, decision_id string,
          device_key string, detail string, country string, network_key string, known_at_unix_millis long, label string, before string"""
# The kinds of line that the folds know: one that they would leave out is an error.
KINDS = {"payment", "label", *features.AT_THE_DOOR}


def main(source, target):
    spark = session()
    # A line that cannot be read ends it.
    spark.read.schema(LINE).option("mode", "FAILFAST").json(source).write.mode("overwrite").parquet(f"{target}/log.parquet")
    log = spark.read.parquet(f"{target}/log.parquet").withColumn("at", expr("at_unix_millis div 1000"))
    strange = {row.kind for row in log.select("kind").distinct().collect()} - KINDS
    if strange:
        sys.exit(f"the log has lines of a kind that is not known here: {', '.join(sorted(map(str, strange)))}")
    payments = log.where("kind = 'payment'")
    # The exact amount as the nearest double, as the service counts it.
    told = log.where("kind <> 'label'").select("user_key", "number", "kind", "at", "payee_key", col("amount").cast("double"), "device_key", "detail")
    paid = log.where("kind in ('payment', 'label')").select("payee_key", "number", "at", "label", "before")
    of_user = folded(told, features.of_users, features.OF_USER)
    of_payee = folded(paid, features.of_payees, features.OF_PAYEE)
    looked = payments.select("number", "id").join(of_user, "number").join(of_payee, "number")
    looked.write.mode("overwrite").parquet(f"{target}/features.parquet")
    looked = spark.read.parquet(f"{target}/features.parquet")
    looked.orderBy("number").write.mode("overwrite").option("header", True).csv(f"{target}/features.csv")
    counted = looked.count()
    if counted != payments.count():
        sys.exit(f"{payments.count()} payments became {counted} rows")
    print(f"{target}: {counted} payments, {len(looked.columns) - 2} features")
    spark.stop()


def session():
    conf = SparkConf().setAppName("rebuild of the behavior features")
    if not conf.contains("spark.master"):
        # Nothing listens but on loopback, and the work is not cut into more pieces than cores are busy with.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        local = {"master": "local[*]", "ui.enabled": "false", "driver.bindAddress": "127.0.0.1", "driver.host": "127.0.0.1"}
        local["sql.shuffle.partitions"] = "8"
        conf.setAll((f"spark.{name}", value) for name, value in local.items())
    spark = SparkSession.builder.config(conf=conf).getOrCreate()
    # For the workers of a cluster.
    spark.sparkContext.addPyFile(str(pathlib.Path(features.__file__)))
    return spark


def folded(lines, fold, names):
    """Lines, whose first column is whom they are of, folded for each of them."""
    key = lines.columns[0]
    sorted_lines = lines.repartition(key).sortWithinPartitions(key, "number")
    schema = ", ".join(["number long", *(f"{name} double" for name in names)])
    return lines.sparkSession.createDataFrame(sorted_lines.rdd.mapPartitions(fold), schema, verifySchema=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
