from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(3).write.mode('overwrite').parquet('s3://cases/out/parquet/')
spark.read.schema('id STRING').parquet('s3://cases/out/parquet/').show()
