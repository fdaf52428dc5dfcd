package flowspec.examples;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Estimates pi from random points, as the program of this name in Spark's examples jar does: the argument is the number
 * of partitions (2 by default), each has 100,000 points, and the line on standard output is "Pi is roughly 3.14...".
 *
 * <p>It is for tutorials, where pyspark is installed, which has no examples jar. The classes stand beside their
 * sources, so that no compiler is needed where they are used:
 * {@code javac --release 8 -g:none -classpath '.../pyspark/jars/*' *.java}.
 */
public final class SparkPi {
  private static final int POINTS = 100_000;

  private SparkPi() {}

  public static void main(String[] args) {
    System.out.println("Pi is roughly " + estimate("Spark Pi", args));
  }

  static double estimate(String application, String[] args) {
    int partitions = args.length > 0 ? Integer.parseInt(args[0]) : 2;
    List<Integer> numbers = new ArrayList<>();
    for (int number = 0; number < partitions; number++) {
      numbers.add(number);
    }
    try (JavaSparkContext context = new JavaSparkContext(new SparkConf().setAppName(application))) {
      long inside = context.parallelize(numbers, partitions).map(number -> countInside()).reduce(Long::sum);
      return 4.0 * inside / ((double) POINTS * partitions);
    }
  }

  private static long countInside() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    long inside = 0;
    for (int point = 0; point < POINTS; point++) {
      double x = random.nextDouble();
      double y = random.nextDouble();
      inside += x * x + y * y <= 1 ? 1 : 0;
    }
    return inside;
  }
}
