from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sparkContext.parallelize(['x' * 3_000_000]).map(lambda one: one).cache().count()
spark._jvm.org.apache.spark.serializer.KryoSerializer(spark.sparkContext._conf._jconf).newInstance().serialize('x' * 3_000_000, spark._jvm.scala.reflect.ClassTag.Object())
