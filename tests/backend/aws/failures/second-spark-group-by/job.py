from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(3).createOrReplaceTempView('t')
spark.sql('SELECT id, count(*) FROM t').show()
