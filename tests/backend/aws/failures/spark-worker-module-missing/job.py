from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
def price(one):
    import pricing

    return pricing.of(one)


print(spark.sparkContext.parallelize([1]).map(price).collect())
