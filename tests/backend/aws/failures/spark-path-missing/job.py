from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.read.csv('s3://cases/not-there/').show()
