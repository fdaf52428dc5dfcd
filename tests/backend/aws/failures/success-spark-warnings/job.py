from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import warnings

warnings.warn('the old reader is deprecated')
log = spark._jvm.org.apache.log4j.LogManager.getLogger('acme')
log.error('Access Denied for the guest reader; using the other')
log.warn('java.lang.OutOfMemoryError was close')
spark.range(3).show()
