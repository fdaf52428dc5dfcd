from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
from pyspark.errors import AnalysisException

try:
    spark.read.csv('s3://cases/not-there/')
except AnalysisException as error:
    print('nothing yet:', type(error).__name__)
spark.range(3).show()
