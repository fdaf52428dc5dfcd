from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import sys

spark.read.text(sys.argv[3]).show()
