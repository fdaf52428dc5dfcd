from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
context = spark.sparkContext
context.parallelize([1]).map(lambda one: context.parallelize([one]).count()).collect()
