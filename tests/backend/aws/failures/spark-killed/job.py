from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
import os
import signal

os.kill(os.getppid(), signal.SIGKILL)
