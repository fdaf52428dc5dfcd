"""Sums the takings of each shop: sums.py OUTPUT. The sales are shipped with the job, as sales.csv."""

import csv
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.functions import sum as total

with Path("sales.csv").open(newline="") as sales, SparkSession.builder.appName("takings").getOrCreate() as spark:
    rows = [(row["shop"], int(row["pence"])) for row in csv.DictReader(sales)]
    sums = spark.createDataFrame(rows, ["shop", "pence"]).groupBy("shop").agg(total("pence"))
    sums.orderBy("shop").coalesce(1).write.mode("overwrite").csv(sys.argv[1])
