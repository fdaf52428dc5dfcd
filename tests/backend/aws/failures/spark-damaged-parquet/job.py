from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.read.parquet('s3://cases/lines/').show()
