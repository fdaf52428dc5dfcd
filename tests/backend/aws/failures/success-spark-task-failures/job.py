from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import logging

from py4j.protocol import Py4JJavaError

try:
    spark.sparkContext.parallelize([0]).map(lambda one: 1 // one).collect()
except Py4JJavaError:
    logging.warning('one shop has no sales')
spark.range(3).show()
