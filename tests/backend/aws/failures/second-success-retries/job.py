from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
from pyspark.errors import PySparkException

for name in ('a', 'b'):
    try:
        spark.table(name).show()
    except PySparkException:
        spark.createDataFrame([(1,)], ['n']).createOrReplaceTempView('a')
spark.table('a').show()
