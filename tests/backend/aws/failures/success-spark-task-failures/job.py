from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import logging

from pyspark.errors import PythonException

try:
    spark.sparkContext.parallelize([0]).map(lambda one: 1 // one).collect()
except PythonException:
    logging.warning('one shop has no sales')
spark.range(3).show()
