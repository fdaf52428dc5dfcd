package flowspec.examples;

import java.util.Arrays;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Tuple2;

/** Counts the words of a text file, as the program of this name in Spark's examples jar does: a line "word: n" each. */
public final class JavaWordCount {
  private JavaWordCount() {}

  public static void main(String[] args) {
    if (args.length < 1) {
      System.err.println("Usage: JavaWordCount <file>");
      System.exit(1);
    }
    try (JavaSparkContext context = new JavaSparkContext(new SparkConf().setAppName("JavaWordCount"))) {
      context
          .textFile(args[0])
          .flatMap(line -> Arrays.asList(line.split(" ")).iterator())
          .mapToPair(word -> new Tuple2<>(word, 1))
          .reduceByKey(Integer::sum)
          .collect()
          .forEach(count -> System.out.println(count._1() + ": " + count._2()));
    }
  }
}
