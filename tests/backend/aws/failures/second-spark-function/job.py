from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql('SELECT total(1)').show()
