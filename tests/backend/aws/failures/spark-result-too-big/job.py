from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(1_000_000).collect()
