from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import acme.pricing

acme.pricing.run(spark)
