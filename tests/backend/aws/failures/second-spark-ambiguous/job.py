from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
left = spark.range(3)
left.join(spark.range(3), left.id >= 0).select('id').show()
