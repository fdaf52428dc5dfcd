from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql('SELECT * FROM shops.takings').show()
