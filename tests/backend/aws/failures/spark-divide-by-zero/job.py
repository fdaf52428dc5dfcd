from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql('SELECT id / (id - id) FROM range(3)').show()
