from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import sys

spark.range(3).show()
sys.exit('the sum differs from the ledger')
