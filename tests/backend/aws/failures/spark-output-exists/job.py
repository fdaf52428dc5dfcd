from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(3).write.csv('s3://cases/existing/')
