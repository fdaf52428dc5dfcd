from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql('SELEKT 1').show()
