from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
big = spark._jvm.java.util.ArrayList()
while True:
    big.add(spark._jvm.java.lang.String('x' * 1_000_000))
