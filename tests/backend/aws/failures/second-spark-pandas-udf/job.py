from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
def broken(one):
    return one + 'x'


print(spark.sparkContext.parallelize([1]).map(broken).collect())
